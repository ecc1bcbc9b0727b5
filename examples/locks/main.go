// The lock of bsm/redislock, by goroutines at all nodes: how often it was held, and that it never had two holders.
//
//	HOLO_PORTS=16379,16380,16381 go run . SECONDS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

const (
	lockTime       = 3 * time.Second
	workersPerNode = 3
)

var held, twice, failed, inside atomic.Int64

func hold(locker *redislock.Client, name string) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lock, err := locker.Obtain(ctx, name, lockTime, &redislock.Options{
		RetryStrategy: redislock.LinearBackoff(30 * time.Millisecond),
	})
	if err != nil {
		return err
	}
	// It is used only as long as it surely is held.
	if time.Since(began) < lockTime*8/10 {
		if inside.Add(1) != 1 {
			twice.Add(1)
		}
		time.Sleep(2 * time.Millisecond)
		inside.Add(-1)
		held.Add(1)
	}
	return lock.Release(ctx)
}

func main() {
	seconds := 5
	if len(os.Args) > 1 {
		seconds, _ = strconv.Atoi(os.Args[1])
	}
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	name := fmt.Sprintf("lock:go:%d", os.Getpid())
	ports := os.Getenv("HOLO_PORTS")
	if ports == "" {
		ports = "6379"
	}
	var group sync.WaitGroup
	for _, port := range strings.Split(ports, ",") {
		client := redis.NewClient(&redis.Options{
			Addr: "127.0.0.1:" + port, MaxRetries: -1, ReadTimeout: 1500 * time.Millisecond,
		})
		for i := 0; i < workersPerNode; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for time.Now().Before(until) {
					if hold(redislock.New(client), name) != nil {
						failed.Add(1)
						time.Sleep(50 * time.Millisecond)
					}
				}
			}()
		}
	}
	group.Wait()
	line, _ := json.Marshal(map[string]any{
		"library": "redislock", "held": held.Load(), "twice": twice.Load(), "failed": failed.Load(),
	})
	fmt.Println(string(line))
	if twice.Load() > 0 || held.Load() == 0 {
		os.Exit(1)
	}
}
