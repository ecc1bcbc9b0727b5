// Logs in at a TLS port as users with a password and with a certificate.
// Arguments: port, issuers, a certificate and its key.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The refusals that are wanted are no news.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(is bool, what any) {
	if !is {
		panic(fmt.Sprint("unexpected: ", what))
	}
}

func main() {
	ctx := context.Background()
	redis.SetLogger(silent{})
	issuers, err := os.ReadFile(os.Args[2])
	must(err)
	pool := x509.NewCertPool()
	expect(pool.AppendCertsFromPEM(issuers), "no issuer")
	certificate, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4])
	must(err)
	open := func(protocol int, user, password string, config *tls.Config) *redis.Client {
		return redis.NewClient(&redis.Options{
			Addr: "localhost:" + os.Args[1], Username: user, Password: password,
			Protocol: protocol, TLSConfig: config, MaxRetries: -1, DialerRetries: 1,
		})
	}
	for _, protocol := range []int{2, 3} {
		ann := open(protocol, "ann", "ann's password", &tls.Config{RootCAs: pool})
		must(ann.Set(ctx, "a:1", "x", 0).Err())
		value, err := ann.Get(ctx, "a:1").Result()
		must(err)
		expect(value == "x", value)
		replies, err := ann.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Del(ctx, "a:n")
			pipe.Incr(ctx, "a:n")
			return nil
		})
		must(err)
		expect(len(replies) == 2 && replies[1].(*redis.IntCmd).Val() == 1, replies)
		err = ann.Get(ctx, "b:1").Err()
		expect(err != nil && strings.HasPrefix(err.Error(), "NOPERM"), err)
		must(ann.Close())
		config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}
		bob := open(protocol, "", "", config)
		name, err := bob.ACLWhoAmI(ctx).Result()
		must(err)
		expect(name == "bob", name)
		must(bob.Close())
	}
	guess := open(3, "ann", "guess", &tls.Config{RootCAs: pool}).Ping(ctx).Err()
	expect(guess != nil && strings.HasPrefix(guess.Error(), "WRONGPASS"), guess)
	stranger := open(3, "ann", "ann's password", &tls.Config{}).Ping(ctx).Err()
	expect(stranger != nil && strings.Contains(stranger.Error(), "certificate"), stranger)
	fmt.Println("well")
}
