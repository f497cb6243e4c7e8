package rehearse

import (
	"cmp"
	_ "embed" // what an Action finds around itself
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dop251/goja"
)

//go:embed prelude.js
var preludeJS string

var prelude = sync.OnceValue(func() *goja.Program { return goja.MustCompile("prelude", preludeJS, false) })

// executionLimit is how long Auth0 lets an Action run (facts §3.6, A0-LIM).
const executionLimit = 20 * time.Second

// action is an Action as it runs: its deployed code with its secrets.
type action struct {
	Name, Code string
	Secrets    map[string]string
}

// performance is what one run of an Action came to.
type performance struct {
	// Ops are the calls of the api object, in order.
	Ops []op
	// Thrown is the error that ended the Action, "" if none did.
	Thrown string
	// Missing is what the Action called that the rehearsal does not have.
	Missing []string
	// Logs is what it wrote to the console.
	Logs []string
	// Absent says that the code exports no such function.
	Absent bool
}

// op is one call of the api object: "accessToken.setCustomClaim" and its arguments.
type op struct {
	Name string
	Args []any
}

func (o op) text(i int) string {
	if i >= 0 && i < len(o.Args) {
		if s, ok := o.Args[i].(string); ok {
			return s
		}
	}
	return ""
}

// denial is why a call ends the login, "" if it does not. Revoking the session does, too
// (https://auth0.com/docs/manage-users/sessions/manage-sessions-actions).
func (o op) denial() string {
	switch o.Name {
	case "access.deny", "validation.error":
		return cmp.Or(o.text(len(o.Args)-1), "no reason is given")
	case "session.revoke":
		return cmp.Or(o.text(0), "no reason is given") + " (it revokes the session)"
	}
	return ""
}

// unfinished reports whether the Action could not be played to its end.
func (p performance) unfinished() bool { return len(p.Missing) > 0 }

// perform runs the exported function of an Action, byte for byte as it is deployed,
// with event. Timers run on a clock of their own, so that waiting takes no time;
// limit bounds the time that computing takes.
func perform(a action, function string, event object, limit time.Duration) performance {
	var p performance
	vm := goja.New()
	stage := &engine{vm: vm, out: &p}
	stop := time.AfterFunc(limit, func() { vm.Interrupt(errTooLong) })
	defer stop.Stop()
	if err := stage.run(a, function, event); err != nil {
		p.Thrown = reason(err, limit)
	}
	return p
}

var errTooLong = errors.New("too long")

func reason(err error, limit time.Duration) string {
	var interrupted *goja.InterruptedError
	if errors.As(err, &interrupted) || errors.Is(err, errTooLong) {
		return fmt.Sprintf("it runs longer than %s, which Auth0 does not allow", limit)
	}
	var syntax *goja.CompilerSyntaxError
	if errors.As(err, &syntax) {
		return "its code can't be read: " + syntax.Error()
	}
	var thrown *goja.Exception
	if errors.As(err, &thrown) {
		return describe(thrown.Value())
	}
	return err.Error()
}

// describe names what JavaScript code threw.
func describe(v goja.Value) string {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return "it threw nothing in particular"
	}
	return v.String()
}

// engine is one JavaScript world with its timers.
type engine struct {
	vm     *goja.Runtime
	out    *performance
	now    time.Duration
	timers []timer
	next   int
}

type timer struct {
	id  int
	at  time.Duration
	run goja.Callable
}

func (e *engine) run(a action, function string, event object) error {
	make, err := e.vm.RunProgram(prelude())
	if err != nil {
		return fmt.Errorf("prepare the Action's surroundings: %w", err)
	}
	factory, _ := goja.AssertFunction(make)
	around, err := factory(goja.Undefined(), e.vm.ToValue(e.note), e.vm.ToValue(e.timer))
	if err != nil {
		return fmt.Errorf("prepare the Action's surroundings: %w", err)
	}
	tools := around.ToObject(e.vm)
	// The wrapper is Node's for CommonJS; it adds no line, so that places in messages are the code's own.
	program, err := goja.Compile(a.Name, "(function (exports, require, module) {"+a.Code+"\n})", false)
	if err != nil {
		return err
	}
	wrapper, err := e.vm.RunProgram(program)
	if err != nil {
		return err
	}
	module := e.vm.NewObject()
	exports := e.vm.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return err
	}
	load, _ := goja.AssertFunction(wrapper)
	if _, err := load(goja.Undefined(), exports, tools.Get("require"), module); err != nil {
		return err
	}
	main, ok := goja.AssertFunction(module.Get("exports").ToObject(e.vm).Get(function))
	if !ok {
		e.out.Absent = true
		return nil
	}
	secrets := object{}
	for k, v := range a.Secrets {
		secrets[k] = v
	}
	own := object{"secrets": secrets, "configuration": object{}}
	for k, v := range event {
		own[k] = v
	}
	data, err := json.Marshal(own)
	if err != nil {
		return err
	}
	parse, _ := goja.AssertFunction(e.vm.Get("JSON").ToObject(e.vm).Get("parse"))
	given, err := parse(goja.Undefined(), e.vm.ToValue(string(data)))
	if err != nil {
		return err
	}
	result, err := main(goja.Undefined(), given, tools.Get("api"))
	if err == nil {
		err = e.settle(result)
	}
	if readErr := e.ops(tools.Get("ops")); err == nil {
		err = readErr
	}
	return err
}

// settle waits for the promise that an async function returns: timers run until it is
// settled.
func (e *engine) settle(result goja.Value) error {
	promise, ok := result.Export().(*goja.Promise)
	if !ok {
		return nil
	}
	for promise.State() == goja.PromiseStatePending {
		if len(e.timers) == 0 {
			return errors.New("its promise is never settled, so Auth0 would give up on it")
		}
		slices.SortStableFunc(e.timers, func(a, b timer) int { return int(a.at - b.at) })
		t := e.timers[0]
		e.timers = e.timers[1:]
		if e.now = t.at; e.now > executionLimit {
			return errTooLong
		}
		if _, err := t.run(goja.Undefined()); err != nil {
			return err
		}
	}
	if promise.State() == goja.PromiseStateRejected {
		return errors.New(describe(promise.Result()))
	}
	return nil
}

// ops reads what the Action asked of the api object. It goes through JSON, as Auth0's
// own boundary does: what JSON can't hold is lost.
func (e *engine) ops(list goja.Value) error {
	stringify, _ := goja.AssertFunction(e.vm.Get("JSON").ToObject(e.vm).Get("stringify"))
	text, err := stringify(goja.Undefined(), list)
	if err != nil {
		return err
	}
	var calls [][]any
	if err := json.Unmarshal([]byte(text.String()), &calls); err != nil {
		return err
	}
	for _, c := range calls {
		name, _ := c[0].(string)
		e.out.Ops = append(e.out.Ops, op{Name: name, Args: c[1:]})
	}
	return nil
}

// note is called by the code's surroundings.
func (e *engine) note(kind, text string) {
	switch kind {
	case "missing":
		if !slices.Contains(e.out.Missing, text) {
			e.out.Missing = append(e.out.Missing, text)
		}
	case "log":
		e.out.Logs = append(e.out.Logs, text)
	}
}

// timer sets a timer, or, without a function, takes the one with this id away.
func (e *engine) timer(f goja.Value, n int64) int {
	run, ok := goja.AssertFunction(f)
	if !ok {
		e.timers = slices.DeleteFunc(e.timers, func(t timer) bool { return int64(t.id) == n })
		return 0
	}
	e.next++
	e.timers = append(e.timers, timer{id: e.next, at: e.now + time.Duration(n)*time.Millisecond, run: run})
	return e.next
}
