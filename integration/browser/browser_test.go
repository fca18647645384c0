package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"popelago/integration/browser"
	"popelago/integration/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }

// serve serves pages by their paths. Scripts from elsewhere and inside a page are violations of their policy.
func serve(t *testing.T, pages map[string]string) string {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := pages[r.URL.Path]
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !strings.HasPrefix(r.URL.Path, "/free") {
			w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'")
		}
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, `<!doctype html><html lang="en"><head><title>Test</title><link rel="icon" href="data:,"></head><body><main><h1>Page</h1>%s</main></body></html>`, text)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Each defect of a page is found, and a good page has none.
func TestDefects(t *testing.T) {
	cases := map[string]struct{ text, defect string }{
		"good":       {`<form><label for="a">A</label><input id="a"><button>Go</button></form><p>Text</p>`, ""},
		"label":      {`<input placeholder="a">`, "no label"},
		"button":     {`<button> </button>`, "no name"},
		"link":       {`<a href="x"></a>`, "no name"},
		"heading":    {`<h1>Second</h1>`, "2 headings"},
		"twice":      {`<p id="x">a</p><p id="x">b</p>`, "twice"},
		"described":  {`<label>A <input aria-describedby="none"></label>`, "leads to no text"},
		"cell":       {`<table><thead><tr><th scope="col">A</th></tr></thead><tbody><tr><td>a</td></tr></tbody></table>`, "no data-label"},
		"wide":       {`<div style="width: 3000px">wide</div>`, "3008 wide"},
		"contrast":   {`<p style="color: #999">pale</p>`, "contrast 2.8"},
		"policy":     {`<script>document.title = "changed"</script>`, "security: "},
		"stranger":   {`<script src="https://other.invalid/x.js"></script>`, "security: "},
		"free/error": {`<script>console.error("bad")</script>`, "bad"},
		"free/throw": {`<script>throw new Error("thrown")</script>`, "script: "},
		"free/alert": {`<script>alert("hello")</script>`, "dialog: hello"},
	}
	pages := map[string]string{}
	for name, c := range cases {
		pages["/"+name] = strings.Replace(c.text, `href="data:,"`, "", 1)
	}
	url := serve(t, pages)
	b := browser.Start(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := b.Page(t)
			if status := p.Open(url + "/" + name); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			found := p.Defects()
			var rest []string
			for _, defect := range found {
				if !strings.Contains(defect, "data:,") { // the policy has no icon inside the page
					rest = append(rest, defect)
				}
			}
			if c.defect == "" && len(rest) > 0 || c.defect != "" && !strings.Contains(strings.Join(rest, "\n"), c.defect) {
				t.Errorf("defects %q, want %q", rest, c.defect)
			}
		})
	}
}

// A form is filled and sent by the keyboard.
func TestForm(t *testing.T) {
	url := serve(t, map[string]string{
		"/": `<form action="sent"><label for="a">Name</label><input id="a" name="a" value="old"><label for="e">Empty</label><input id="e" name="e" value="old">
<label><input type="checkbox" name="b" value="yes" required> Sure</label><label for="c">Kind</label><select id="c" name="c"><option>one</option><option>two</option></select>
<details><summary>More</summary><button name="d" value="x">Send it</button></details></form>`,
		"/sent": "sent",
	})
	p := browser.Start(t).Page(t)
	if status := p.Open(url + "/none"); status != http.StatusNotFound {
		t.Errorf("status %d, want 404", status)
	}
	p.Open(url + "/")
	p.Fill("Name", "a <b> & ü")
	p.Fill("Empty", "")
	p.Tick("Sure")
	p.Choose("Kind", "two")
	p.Unfold("More")
	if status := p.Press("Send it"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	p.Has("sent")
	if got := p.Script("location.search"); got != "?a=a+%3Cb%3E+%26+%C3%BC&e=&b=yes&c=two&d=x" {
		t.Errorf("the form sent %s", got)
	}
}
