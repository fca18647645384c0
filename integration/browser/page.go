package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"popelago/mailtest"
)

// Page is a page with cookies of its own. Its methods fail the test if a step is not possible.
type Page struct {
	t   testing.TB
	ctx context.Context

	width int64 // of the window, see Look
	dark  bool

	mu     sync.Mutex
	faults []string
}

// Page opens an empty page, which ends with the test.
func (b *Browser) Page(t testing.TB) *Page {
	t.Helper()
	p := &Page{t: t}
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.happened))
	t.Cleanup(end)
	p.ctx = ctx
	p.must("open a page", chromedp.Do(ctx)) // the page lives as long as this context
	p.Look(1280, false)
	return p
}

// do runs actions within the limit.
func (p *Page) do(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

func (p *Page) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v; faults: %q; the page:\n%s", what, err, p.taken(), p.source())
	}
}

// source is the HTML of the page, or the reason why it cannot be read.
func (p *Page) source() string {
	text, err := evaluate[string](p, "document.documentElement ? document.documentElement.outerHTML : ''")
	if err != nil {
		return err.Error()
	}
	return text
}

// evaluate returns the value of an expression in the page.
func evaluate[T any](p *Page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// on returns a call of a JavaScript function with texts.
func on(function string, texts ...string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		b, err := json.Marshal(text)
		if err != nil {
			panic(err) // a text is always JSON
		}
		quoted[i] = string(b)
	}
	return "(" + function + ")(" + strings.Join(quoted, ", ") + ")"
}

// happened collects faults.
func (p *Page) happened(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// A page with a status such as 404 is no fault: its test knows the status.
		document := e.Entry.Source == log.EntrySourceNetwork && strings.Contains(e.Entry.Text, "the server responded with a status of") &&
			!strings.Contains(e.Entry.URL, "/static/")
		if !document && (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) {
			p.fault("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			texts := make([]string, len(e.Args))
			for i, arg := range e.Args {
				texts[i] = string(arg.Value) + arg.Description
			}
			p.fault("console: %s", strings.Join(texts, " "))
		}
	case *runtime.EventExceptionThrown:
		p.fault("script: %s", e.ExceptionDetails.Text)
	case *page.EventJavascriptDialogOpening:
		p.fault("dialog: %s", e.Message)
		go func() { // a listener may not wait
			_ = p.do(func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
				_, err = cdp.Call(ctx, t, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
				return v, err
			})
		}()
	}
}

func (p *Page) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// taken returns the faults since the last call.
func (p *Page) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := p.faults
	p.faults = nil
	return faults
}

// follow runs actions that lead to another page, waits for the page, and returns its status.
func (p *Page) follow(what string, actions ...chromedp.Action[chromedp.Void]) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	p.must(what, err)
	if response == nil {
		p.t.Fatalf("%s: no response", what)
	}
	return int(response.Status)
}

// Open opens a URL, and returns the status.
func (p *Page) Open(url string) int {
	p.t.Helper()
	return p.follow("open "+url, chromedp.Navigate(url))
}

// Back returns to the page before, which the browser may have kept.
func (p *Page) Back() {
	p.t.Helper()
	before := p.Script("location.href")
	p.Script("setTimeout(() => history.back()), ''") // at once, the browser could leave the page before it answers
	mailtest.WaitFor(p.t, limit, func() error {
		url, err := evaluate[string](p, "document.readyState === 'complete' ? location.href : ''")
		if err == nil && (url == "" || url == before) {
			err = fmt.Errorf("the page is still %q", url)
		}
		return err
	})
}

// find is a function that finds the last visible control with a text, which is its name or begins it.
const find = `(selector, text) => {
	const name = (e) => (e.getAttribute("aria-label") ?? e.textContent).replace(/\s+/g, " ").trim();
	const shown = [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());
	return shown.findLast((e) => name(e) === text) ?? shown.findLast((e) => name(e).startsWith(text));
}`

// focus puts the focus on a control, and fails if the control cannot have it.
func (p *Page) focus(what, expression string) {
	p.t.Helper()
	state, err := evaluate[string](p, "((e) => { if (!e) return 'there is none'; e.focus(); return document.activeElement === e ? '' : 'cannot be focused'; })("+expression+")")
	if err == nil && state != "" {
		err = fmt.Errorf("%s", state)
	}
	p.must(what, err)
}

// Press presses Enter on a link or a button, found by its name, waits for the page that follows, and returns
// the status.
func (p *Page) Press(name string) int {
	p.t.Helper()
	p.focus("press "+name, on(find, "a, button", name))
	return p.follow("press "+name, chromedp.KeyEvent("\r"))
}

// Unfold presses Enter on the summary of details, found by its name.
func (p *Page) Unfold(name string) {
	p.t.Helper()
	p.focus("unfold "+name, on(find, "summary", name))
	p.must("unfold "+name, p.do(chromedp.KeyEvent("\r")))
}

// labelled is a function that finds a visible field by its label. A field in open details comes before.
const labelled = `(text) => {
	const words = (e) => e.textContent.replace(/\s+/g, " ").trim();
	const fields = [...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((e) => e.checkVisibility());
	const has = (e, is) => (e.getAttribute("aria-label") && is(e.getAttribute("aria-label"))) || [...(e.labels ?? [])].some((l) => is(words(l)));
	return fields.findLast((e) => has(e, (name) => name === text)) ?? fields.findLast((e) => has(e, (name) => name.startsWith(text)));
}`

// Fill replaces the text of a field, found by its label.
func (p *Page) Fill(label, text string) {
	p.t.Helper()
	p.focus("fill "+label, on(labelled, label))
	p.must("fill "+label, p.do(func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		if _, err = chromedp.Evaluate[chromedp.Void]("document.activeElement.select()")(ctx, t); err == nil && text != "" {
			_, err = cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		}
		return v, err
	}))
	if text == "" {
		p.must("empty "+label, p.do(chromedp.KeyEvent("\b")))
	}
	got, err := evaluate[string](p, "document.activeElement.value")
	p.must("fill "+label, err)
	if got != text {
		p.t.Fatalf("the field %s has %q, want %q", label, got, text)
	}
}

// Tick presses Space on a box, found by its label.
func (p *Page) Tick(label string) {
	p.t.Helper()
	p.focus("tick "+label, on(labelled, label))
	p.must("tick "+label, p.do(chromedp.KeyEvent(" ")))
	mailtest.WaitFor(p.t, limit, func() error {
		ticked, err := evaluate[bool](p, "document.activeElement.checked")
		if err == nil && !ticked {
			err = fmt.Errorf("the box %s is not ticked", label)
		}
		return err
	})
}

// Choose selects an option of a list, found by its label.
func (p *Page) Choose(label, option string) {
	p.t.Helper()
	p.focus("choose "+label, on(labelled, label))
	found, err := evaluate[bool](p, on(`(text) => {
		const option = [...document.activeElement.options].find((o) => o.text === text);
		if (option) option.selected = true;
		return Boolean(option);
	}`, option))
	if err == nil && !found {
		err = fmt.Errorf("no option %q", option)
	}
	p.must("choose "+label, err)
}

// Text returns the visible text of the page.
func (p *Page) Text() string {
	p.t.Helper()
	text, err := evaluate[string](p, "document.body.innerText")
	p.must("read the page", err)
	return text
}

// Has waits for texts on the page.
func (p *Page) Has(texts ...string) {
	p.t.Helper()
	mailtest.WaitFor(p.t, limit, func() error {
		shown := p.Text()
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				return fmt.Errorf("the page lacks %q:\n%s", text, shown)
			}
		}
		return nil
	})
}

// Focused presses Tab, and returns the text of the control with the focus.
func (p *Page) Focused() string {
	p.t.Helper()
	p.must("press Tab", p.do(chromedp.KeyEvent("\t")))
	text, err := evaluate[string](p, "document.activeElement.textContent")
	p.must("read the focus", err)
	return text
}

// Script returns the value of an expression in the page.
func (p *Page) Script(expression string) string {
	p.t.Helper()
	text, err := evaluate[string](p, expression)
	p.must(expression, err)
	return text
}

// Look sets the width of the page in pixels, and the colors.
func (p *Page) Look(width int64, dark bool) {
	p.t.Helper()
	if width == p.width && dark == p.dark {
		return // the browser would lay the page out again
	}
	p.width, p.dark = width, dark
	colors := "light"
	if dark {
		colors = "dark"
	}
	p.must("look", p.do(chromedp.EmulateViewport(width, 900), func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colors}},
		})
		return v, err
	}))
}

// defects is a function that lists the defects of a page.
//
//go:embed defects.js
var defects string

// Defects returns the faults since the last call, and the defects of the page as it is shown: controls without
// a label, text without contrast, and a page wider than the window.
func (p *Page) Defects() []string {
	p.t.Helper()
	found, err := evaluate[[]string](p, on(defects))
	p.must("look for defects", err)
	return append(p.taken(), found...)
}

// Picture writes the whole page to a file in the format PNG.
func (p *Page) Picture(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(name, png, 0o600)
	}
	p.must("picture", err)
}
