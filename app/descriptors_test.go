package app

import (
	"testing"

	"golang.org/x/sys/unix"

	"popelago/config"
)

func TestDescriptors(t *testing.T) {
	a := &App{cfg: config.Dev(t.TempDir())}
	a.cfg.POP3.MaxConns, a.cfg.SMTP.MaxConns, a.cfg.LMTP.MaxConns = 10_000, 10_000, 10_000
	// POP3, POP3S, and twice SMTP and LMTP, the socket of the admin API.
	if got, want := a.descriptors(), uint64(6*10_000+200+otherDescriptors); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	a.cfg.POP3S.Listen, a.cfg.LMTP.Listen = nil, nil
	a.cfg.Metrics.Listen = []string{"127.0.0.1:0", "[::1]:0"}
	if got, want := a.descriptors(), uint64(3*10_000+200+50+otherDescriptors); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	a.cfg.UserPage.Listen = []string{"127.0.0.1:0"}
	if got, want := a.descriptors(), uint64(3*10_000+200+50+a.cfg.UserPage.MaxConnections+otherDescriptors); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

func TestRaiseDescriptors(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	low := unix.Rlimit{Cur: 256, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ need, want uint64 }{
		{100, 256}, // never lowered
		{300, 300},
		{before.Max, before.Max},
	} {
		if got, err := raiseDescriptors(test.need); err != nil || got != test.want {
			t.Errorf("needing %d: %d, %v, want %d", test.need, got, err, test.want)
		}
	}
}
