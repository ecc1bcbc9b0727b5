package main

// The models of models.ts, said again. States are values that == compares, or lists behind a hash.

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/anishathalye/porcupine"
)

type input struct {
	kind string
	args []interface{}
}

type output struct {
	result  interface{}
	unknown bool
}

// is tells whether the client was told this; one that was told nothing agrees with everything.
func (o output) is(expected interface{}) bool {
	return o.unknown || o.result == expected
}

func (o output) isError() bool {
	_, ok := o.result.(map[string]interface{})
	return o.unknown || ok
}

func (in input) text(at int) string {
	text, ok := in.args[at].(string)
	if !ok {
		panic(fmt.Sprintf("%s: %v is not a string", in.kind, in.args[at]))
	}
	return text
}

type step func(state interface{}, in input, out output) (bool, interface{})

func modelOf(name string) (porcupine.Model, error) {
	switch name {
	case "cas-register":
		return model(nil, stepRegister), nil
	case "kv":
		return model("", stepKv), nil
	case "redis":
		return model(value{}, stepRedis), nil
	case "counter":
		return model(value{}, stepRedis), nil
	case "list":
		return model("", stepList), nil
	case "list-append-txn":
		m := model(lists{}, stepTransaction)
		m.Equal = func(a, b interface{}) bool { return a.(lists).equals(b.(lists)) }
		return m, nil
	}
	return porcupine.Model{}, fmt.Errorf("unknown model %q", name)
}

func model(initial interface{}, next step) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return initial },
		Step: func(state, in, out interface{}) (bool, interface{}) {
			return next(state, in.(input), out.(output))
		},
		DescribeOperation: describe,
	}
}

func describe(in, out interface{}) string {
	args, _ := json.Marshal(in.(input).args)
	result := []byte("unknown")
	if !out.(output).unknown {
		result, _ = json.Marshal(out.(output).result)
	}
	return fmt.Sprintf("%s %s -> %s", in.(input).kind, args, result)
}

func stepRegister(state interface{}, in input, out output) (bool, interface{}) {
	switch in.kind {
	case "read":
		return out.is(state), state
	case "write":
		return true, in.args[0]
	case "cas":
		if state == in.args[0] {
			return out.is(true), in.args[1]
		}
		return out.is(false), state
	}
	panic("the cas-register model has no " + in.kind)
}

func stepKv(state interface{}, in input, out output) (bool, interface{}) {
	switch in.kind {
	case "get":
		return out.is(state), state
	case "put":
		return true, in.text(0)
	case "append":
		return true, state.(string) + in.text(0)
	}
	panic("the kv model has no " + in.kind)
}

// value is a Redis string that may be missing.
type value struct {
	exists bool
	text   string
}

func (v value) reply() interface{} {
	if !v.exists {
		return nil
	}
	return v.text
}

// one and zero are what a Redis command answers for done and not done.
func number(done bool) float64 {
	if done {
		return 1
	}
	return 0
}

func stepRedis(state interface{}, in input, out output) (bool, interface{}) {
	old := state.(value)
	switch in.kind {
	case "GET":
		return out.is(old.reply()), old
	case "SET":
		return stepSet(old, in, out)
	case "SETNX":
		if old.exists {
			return out.is(0.0), old
		}
		return out.is(1.0), value{true, in.text(0)}
	case "GETDEL":
		return out.is(old.reply()), value{}
	case "DEL":
		return out.is(number(old.exists)), value{}
	case "DELIFEQ":
		if old == (value{true, in.text(0)}) {
			return out.is(1.0), value{}
		}
		return out.is(0.0), old
	case "EXISTS":
		return out.is(number(old.exists)), old
	case "STRLEN":
		// One char of the history's text is one byte of the value.
		return out.is(float64(utf8.RuneCountInString(old.text))), old
	case "APPEND":
		text := old.text + in.text(0)
		return out.is(float64(utf8.RuneCountInString(text))), value{true, text}
	}
	return stepAdd(old, in, out)
}

func stepSet(old value, in input, out output) (bool, interface{}) {
	met, get := true, false
	for at := 1; at < len(in.args); at++ {
		switch in.text(at) {
		case "NX":
			met = !old.exists
		case "XX":
			met = old.exists
		case "IFEQ":
			at++
			met = old == (value{true, in.text(at)})
		case "GET":
			get = true
		default:
			panic("unknown SET option " + in.text(at))
		}
	}
	var answer interface{}
	if get {
		answer = old.reply()
	} else if met {
		answer = "OK"
	}
	if met {
		return out.is(answer), value{true, in.text(0)}
	}
	return out.is(answer), old
}

var integer = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func stepAdd(old value, in input, out output) (bool, interface{}) {
	var delta float64
	switch in.kind {
	case "INCR":
		delta = 1
	case "DECR":
		delta = -1
	case "INCRBY":
		delta = in.args[0].(float64)
	case "DECRBY":
		delta = -in.args[0].(float64)
	default:
		panic("the redis model has no " + in.kind)
	}
	var before float64
	if old.exists {
		if !integer.MatchString(old.text) {
			return out.isError(), old
		}
		before, _ = strconv.ParseFloat(old.text, 64)
	}
	if math.Abs(before) >= 1<<53 || math.Abs(before+delta) >= 1<<53 {
		panic("the models count up to 2^53")
	}
	return out.is(before + delta), value{true, strconv.FormatFloat(before+delta, 'f', -1, 64)}
}

// A list is its elements in JSON, each followed by a line end, which JSON text never contains.
func element(v interface{}) string {
	text, _ := json.Marshal(v)
	return string(text) + "\n"
}

func joined(result interface{}) string {
	list, _ := result.([]interface{})
	var all strings.Builder
	for _, v := range list {
		all.WriteString(element(v))
	}
	return all.String()
}

func stepList(state interface{}, in input, out output) (bool, interface{}) {
	list := state.(string)
	switch in.kind {
	case "LRANGE":
		return out.unknown || joined(out.result) == list, list
	case "LLEN":
		return out.is(float64(strings.Count(list, "\n"))), list
	case "RPUSH":
		next := list + joined(in.args)
		return out.is(float64(strings.Count(next, "\n"))), next
	}
	panic("the list model has no " + in.kind)
}

// lists is the whole store: a list by key.
type lists map[string]string

func (l lists) equals(other lists) bool {
	if len(l) != len(other) {
		return false
	}
	for key, list := range l {
		if otherList, ok := other[key]; !ok || otherList != list {
			return false
		}
	}
	return true
}

func stepTransaction(state interface{}, in input, out output) (bool, interface{}) {
	before := state.(lists)
	after := lists{}
	for key, list := range before {
		after[key] = list
	}
	results, _ := out.result.([]interface{})
	for at, arg := range in.args {
		micro := arg.([]interface{})
		key := micro[1].(string)
		if micro[0] == "append" {
			after[key] += element(micro[2])
		} else if !out.unknown && joined(results[at]) != after[key] {
			return false, before
		}
	}
	return true, after
}
