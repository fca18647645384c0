package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		failed         bool
	}{
		{"all pass", `
{"Action":"start","Package":"a"}
{"Action":"output","Package":"a","Test":"TestQuick","Output":"chatter\n"}
{"Action":"pass","Package":"a","Test":"TestQuick","Elapsed":0.5}
{"Action":"output","Package":"a","Test":"TestSlow","Output":"chatter\n"}
{"Action":"pass","Package":"a","Test":"TestSlow/part","Elapsed":30}
{"Action":"pass","Package":"a","Test":"TestSlow","Elapsed":31}
{"Action":"output","Package":"a","Output":"ok\n"}
{"Action":"pass","Package":"a","Elapsed":32}
{"Action":"skip","Package":"b","Elapsed":0}
`, `ok      32.0 s  a
-        0.0 s  b

slowest packages, of more than 5 s
   32.0 s  a

slowest tests, of more than 5 s
   31.0 s  a TestSlow
`, false},
		{"one fails", `
{"Action":"output","Package":"a","Test":"TestBad","Output":"=== RUN\n"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"chatter\n"}
{"Action":"output","Package":"a","Test":"TestBad","Output":"why\n"}
{"Action":"pass","Package":"a","Test":"TestGood","Elapsed":0}
{"Action":"fail","Package":"a","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"a","Output":"FAIL\n"}
{"Action":"fail","Package":"a","Elapsed":1}
`, `=== RUN
why
FAIL
FAIL     1.0 s  a
`, true},
		{"the reason is far up", `
{"Action":"output","Package":"a","Test":"TestBad","Output":"    bad_test.go:7: 3 messages, want 4\n"}
{"Action":"output","Package":"a","Test":"TestBad","Output":"INFO a node says Main.java:9: much\n"}
{"Action":"fail","Package":"a","Test":"TestBad","Elapsed":1}
{"Action":"fail","Package":"a","Elapsed":1}
`, `    bad_test.go:7: 3 messages, want 4
INFO a node says Main.java:9: much
FAIL     1.0 s  a

why tests failed
a TestBad: bad_test.go:7: 3 messages, want 4
`, true},
		{"a script fails", `
{"Action":"output","Package":"a","Test":"TestScripts/doctor","Output":"        > exec doctor\n"}
{"Action":"output","Package":"a","Test":"TestScripts/doctor","Output":"        FAIL: doctor.txtar:7: no match for x found in stdout\n"}
{"Action":"fail","Package":"a","Test":"TestScripts/doctor","Elapsed":1}
{"Action":"fail","Package":"a","Elapsed":1}
`, `        > exec doctor
        FAIL: doctor.txtar:7: no match for x found in stdout
FAIL     1.0 s  a

why tests failed
a TestScripts/doctor: FAIL: doctor.txtar:7: no match for x found in stdout
`, true},
		{"counts are shown", `
{"Action":"output","Package":"a","Test":"TestCounts","Output":"=== RUN\n"}
{"Action":"output","Package":"a","Test":"TestCounts","Output":"    counts_test.go:7: 3 messages\n"}
{"Action":"pass","Package":"a","Test":"TestCounts","Elapsed":1}
{"Action":"output","Package":"a","Test":"TestQuiet","Output":"    quiet_test.go:7: 4 messages\n"}
{"Action":"pass","Package":"a","Test":"TestQuiet","Elapsed":1}
{"Action":"pass","Package":"a","Elapsed":2}
`, `ok       2.0 s  a

what tests logged
a TestCounts: counts_test.go:7: 3 messages
`, false},
		{"one never ends", `{"Action":"output","Package":"a","Test":"TestHangs","Output":"=== RUN\n"}
`, `FAIL a did not come to an end
`, true},
		{"does not build", `
{"ImportPath":"a","Action":"build-output","Output":"a.go:1: no\n"}
{"ImportPath":"a","Action":"build-fail"}
`, `a.go:1: no
`, true},
		{"something else", "a warning\n", "a warning\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			r := newReport(&got)
			r.show = regexp.MustCompile("^TestCounts")
			if err := r.read(strings.NewReader(strings.TrimPrefix(c.in, "\n"))); err != nil {
				t.Fatal(err)
			}
			r.slowest()
			r.conclude()
			if got.String() != c.want || r.failed != c.failed {
				t.Errorf("got\n%s(failed: %v)\nwant\n%s(failed: %v)", &got, r.failed, c.want, c.failed)
			}
		})
	}
}
