package app

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"popelago/admin"
	"popelago/adminclient"
)

// levels holds the level of the log: the configured level, and for a while another one.
type levels struct {
	level *slog.LevelVar // of the handler of the log

	mu         sync.Mutex
	configured string
	until      time.Time // the end of the other level; zero: none, or without end
	other      string    // empty: the configured level is in force
	timer      *time.Timer
	change     int // counts changes, so that an old timer changes nothing
}

// configure changes the configured level, which is in force unless another one is.
func (l *levels) configure(level string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.configured = level
	if l.other == "" {
		l.setLocked(level)
	}
}

func (l *levels) setLocked(text string) {
	var level slog.Level
	if l.level != nil && level.UnmarshalText([]byte(text)) == nil {
		l.level.Set(level)
	}
}

// LogLevel returns the level of the log.
func (a *App) LogLevel() adminclient.LogLevel {
	l := &a.levels
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stateLocked()
}

func (l *levels) stateLocked() adminclient.LogLevel {
	s := adminclient.LogLevel{Level: l.configured, Configured: l.configured}
	if l.other != "" {
		s.Level = l.other
		if !l.until.IsZero() {
			until := l.until.UTC()
			s.Until = &until
		}
	}
	return s
}

// SetLogLevel changes the level of the log, for a while (zero: until the next change or restart). The
// empty level puts the configured level into force again. Errors: admin.ErrNoLogLevel.
func (a *App) SetLogLevel(level string, lasts time.Duration) (adminclient.LogLevel, error) {
	l := &a.levels
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.level == nil {
		return l.stateLocked(), fmt.Errorf("%w: the log of this server has a fixed level", admin.ErrNoLogLevel)
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.change++
	l.other, l.until, l.timer = level, time.Time{}, nil
	if level == "" {
		l.setLocked(l.configured)
		return l.stateLocked(), nil
	}
	l.setLocked(level)
	if lasts > 0 {
		change := l.change
		l.until = a.now().Add(lasts)
		l.timer = time.AfterFunc(lasts, func() { a.endLogLevel(change) })
	}
	return l.stateLocked(), nil
}

// endLogLevel puts the configured level into force, unless the level has changed again.
func (a *App) endLogLevel(change int) {
	l := &a.levels
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change != change {
		return
	}
	l.other, l.until, l.timer = "", time.Time{}, nil
	l.setLocked(l.configured)
	a.logger.Info("the configured log level is in force again", "level", l.configured)
}

// stop ends the timer, for Stop.
func (l *levels) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change++
	if l.timer != nil {
		l.timer.Stop()
	}
}
