package defaults_test

import (
	"testing"
	"time"

	"popelago/defaults"
)

type settings struct {
	Count   int
	Wait    time.Duration
	Name    string
	Names   []string
	Hook    func()
	On      bool
	private int
}

func TestFill(t *testing.T) {
	def := settings{Count: 7, Wait: time.Second, Name: "a", Names: []string{"b"}, private: 5}
	got := defaults.Fill(settings{}, def)
	if got.Count != 7 || got.Wait != time.Second || got.Name != "a" || len(got.Names) != 1 || got.Hook != nil || got.On || got.private != 0 {
		t.Errorf("nothing set became %+v", got)
	}
	set := settings{Count: -1, Wait: time.Hour, Name: "c", Names: []string{}, Hook: func() {}, On: true, private: 1}
	got = defaults.Fill(set, def)
	if got.Count != -1 || got.Wait != time.Hour || got.Name != "c" || len(got.Names) != 0 || got.Hook == nil || !got.On || got.private != 1 {
		t.Errorf("%+v became %+v", set, got)
	}
}
