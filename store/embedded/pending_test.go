package embedded

import (
	"testing"

	"popelago/mail"
	"popelago/store"
)

// A content that Close writes stays in memory until it is written: a message that comes meanwhile has a content.
func TestPendingIsKeptUntilWritten(t *testing.T) {
	c := &committer{writes: make(chan *write), closing: newClosing(), ended: make(chan struct{})}
	cfg := Config{Dir: "data"}
	if err := cfg.setDefaults(); err != nil {
		t.Fatal(err)
	}
	p := newPending(cfg, c)
	id := mail.NewIDSource(cfg.Now).Next()
	if _, err := p.put(t.Context(), id, contentRow{info: store.ContentInfo{Size: 1}, kind: kindInline, data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	kept := make(chan struct{})
	go func() {
		p.keep()
		close(kept)
	}()
	w := <-c.writes // it is not durable yet
	if p.use(id) == nil {
		t.Error("the content is gone before it is written")
	}
	w.done <- nil
	<-kept
	if p.get(id) != nil {
		t.Error("the content stays in memory")
	}
}
