// Asynq: tasks with retries and delays, a server at each node. `go run . TASKS`
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	ports := strings.Split(os.Getenv("HOLO_PORTS"), ",")
	tasks, err := strconv.Atoi(os.Args[1])
	must(err)
	queue := fmt.Sprintf("mail-%d", time.Now().UnixMilli())
	at := func(i int) asynq.RedisClientOpt {
		return asynq.RedisClientOpt{Addr: "127.0.0.1:" + ports[i%len(ports)]}
	}

	var mutex sync.Mutex
	done, failures := map[int]int{}, 0
	handle := func(ctx context.Context, task *asynq.Task) error {
		n, err := strconv.Atoi(string(task.Payload()))
		if err != nil {
			return err
		}
		retried, _ := asynq.GetRetryCount(ctx)
		mutex.Lock()
		defer mutex.Unlock()
		if n%10 == 3 && retried == 0 {
			failures++
			return errors.New("to be tried again")
		}
		done[n]++
		return nil
	}

	servers := []*asynq.Server{}
	for i := range ports {
		server := asynq.NewServer(at(i), asynq.Config{
			Concurrency:              10,
			Queues:                   map[string]int{queue: 1},
			LogLevel:                 asynq.FatalLevel,
			RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return 100 * time.Millisecond },
			DelayedTaskCheckInterval: 200 * time.Millisecond,
			TaskCheckInterval:        50 * time.Millisecond,
		})
		must(server.Start(asynq.HandlerFunc(handle)))
		servers = append(servers, server)
	}

	client := asynq.NewClient(at(0))
	started := time.Now()
	for n := 0; n < tasks; n++ {
		options := []asynq.Option{asynq.Queue(queue), asynq.MaxRetry(3)}
		if n%10 == 7 {
			options = append(options, asynq.ProcessIn(200*time.Millisecond))
		}
		_, err := client.Enqueue(asynq.NewTask("mail", []byte(strconv.Itoa(n))), options...)
		must(err)
	}
	count := func() int {
		mutex.Lock()
		defer mutex.Unlock()
		return len(done)
	}
	for until := time.Now().Add(5 * time.Minute); count() < tasks && time.Now().Before(until); {
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(started)
	for _, server := range servers {
		server.Shutdown()
	}
	must(client.Close())
	inspector := asynq.NewInspector(at(1))
	info, err := inspector.GetQueueInfo(queue)
	must(err)
	must(inspector.DeleteQueue(queue, true))

	repeated := 0
	for _, times := range done {
		if times > 1 {
			repeated++
		}
	}
	line, err := json.Marshal(map[string]any{
		"done": len(done), "failures": failures, "repeated": repeated,
		"left": info.Size, "processed": info.ProcessedTotal, "tookMs": took.Milliseconds(),
	})
	must(err)
	fmt.Println(string(line))
	if len(done) != tasks || repeated > 0 || failures != (tasks+6)/10 {
		os.Exit(1)
	}
}
