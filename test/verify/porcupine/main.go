// Command porcupine checks a HoloStore history file with Porcupine
// (https://github.com/anishathalye/porcupine), the checker that etcd uses. It is the second opinion
// on linearizability.ts: the same histories, another search, another language. It prints one JSON
// line to standard output and writes Porcupine's HTML view of the first bad key.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

const lineBytesMax = 64 << 20

// operation is one line of a history file; see history.ts.
type operation struct {
	ID          int           `json:"id"`
	Process     int           `json:"process"`
	InvokedAt   float64       `json:"invokedAt"`
	CompletedAt *float64      `json:"completedAt"`
	Kind        string        `json:"kind"`
	Keys        []string      `json:"keys"`
	Args        []interface{} `json:"args"`
	Result      interface{}   `json:"result"`
	Outcome     string        `json:"outcome"`
}

type verdict struct {
	Verdict       string   `json:"verdict"`
	Keys          int      `json:"keys"`
	BadKeys       []string `json:"badKeys"`
	ExhaustedKeys []string `json:"exhaustedKeys"`
	HTML          string   `json:"html,omitempty"`
}

func main() {
	timeout := flag.Duration("timeout", time.Minute, "for each key; then the verdict is exhausted")
	html := flag.String("html", "", "where to write the view of the first bad key")
	flag.Parse()
	if flag.NArg() != 1 {
		fail(fmt.Errorf("usage: porcupine [-timeout 1m] [-html FILE] HISTORY"))
	}
	name, operations, err := readHistory(flag.Arg(0))
	if err != nil {
		fail(err)
	}
	model, err := modelOf(name)
	if err != nil {
		fail(err)
	}
	result, err := check(model, partition(name, operations), *timeout, *html)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

func readHistory(path string) (string, []operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 0, 1<<16), lineBytesMax)
	var header struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
		Model   string `json:"model"`
	}
	if !lines.Scan() {
		return "", nil, fmt.Errorf("%s: no header: %v", path, lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &header); err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	if header.Format != "holostore-history" || header.Version != 1 {
		return "", nil, fmt.Errorf("%s: not a history file of version 1", path)
	}
	var operations []operation
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var op operation
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			return "", nil, fmt.Errorf("%s: operation %d: %w", path, len(operations), err)
		}
		operations = append(operations, op)
	}
	return header.Model, operations, lines.Err()
}

type keyed struct {
	key        string
	operations []porcupine.Operation
}

// partition splits by key and leaves out what was refused. Transactions stay together: they are
// operations on one object, the whole store.
func partition(model string, operations []operation) []keyed {
	ranks := rankTimes(operations)
	clients := newClients()
	index := map[string]int{}
	var parts []keyed
	for _, op := range operations {
		client := clients.of(op)
		if op.Outcome == "refused" {
			continue
		}
		key := "all keys"
		if model != "list-append-txn" && len(op.Keys) > 0 {
			key = op.Keys[0]
		}
		at, known := index[key]
		if !known {
			at = len(parts)
			index[key] = at
			parts = append(parts, keyed{key: key})
		}
		call := porcupine.Operation{
			ClientId: client,
			Input:    input{kind: op.Kind, args: op.Args},
			Call:     ranks[op.InvokedAt],
			Output:   output{result: op.Result},
		}
		if op.Outcome == "unknown" {
			// What may happen at any later time may also happen after everything else, where it
			// has the same effect as never happening: none.
			call.Output = output{unknown: true}
			call.Return = math.MaxInt64
		} else {
			call.Return = ranks[*op.CompletedAt]
		}
		parts[at].operations = append(parts[at].operations, call)
	}
	return parts
}

// rankTimes maps times, which may have fractions, to whole numbers in the same order.
func rankTimes(operations []operation) map[float64]int64 {
	var times []float64
	for _, op := range operations {
		times = append(times, op.InvokedAt)
		if op.CompletedAt != nil {
			times = append(times, *op.CompletedAt)
		}
	}
	sort.Float64s(times)
	ranks := map[float64]int64{}
	for _, at := range times {
		if _, known := ranks[at]; !known {
			ranks[at] = int64(len(ranks))
		}
	}
	return ranks
}

// clients gives a process a new row in the view after an operation that never ended.
type clients struct {
	rows map[int]int
	next int
}

func newClients() *clients {
	return &clients{rows: map[int]int{}}
}

func (c *clients) of(op operation) int {
	row, known := c.rows[op.Process]
	if !known {
		row = c.next
		c.next++
		c.rows[op.Process] = row
	}
	if op.Outcome == "unknown" {
		delete(c.rows, op.Process)
	}
	return row
}

func check(
	model porcupine.Model, parts []keyed, timeout time.Duration, html string,
) (verdict, error) {
	found := verdict{Verdict: "ok", Keys: len(parts), BadKeys: []string{}, ExhaustedKeys: []string{}}
	for _, part := range parts {
		switch porcupine.CheckOperationsTimeout(model, part.operations, timeout) {
		case porcupine.Illegal:
			found.BadKeys = append(found.BadKeys, part.key)
			if html != "" && found.HTML == "" {
				if err := draw(model, part, timeout, html); err != nil {
					return found, err
				}
				found.HTML = html
			}
		case porcupine.Unknown:
			found.ExhaustedKeys = append(found.ExhaustedKeys, part.key)
		}
	}
	if len(found.BadKeys) > 0 {
		found.Verdict = "violation"
	} else if len(found.ExhaustedKeys) > 0 {
		found.Verdict = "exhausted"
	}
	return found, nil
}

func draw(model porcupine.Model, part keyed, timeout time.Duration, path string) error {
	_, info := porcupine.CheckOperationsVerbose(model, part.operations, timeout)
	return porcupine.VisualizePath(model, info, path)
}
