package pop3server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// Each session has one line at its end, with all keys; a session in which nobody tried to log in has the level
// debug. Commands are measured by their verbs.
func TestLogOfSessions(t *testing.T) {
	var log mailtest.Log
	f := pop3test.New(t, openStore(t), pop3server.Config{
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), FailureDelay: -1,
	}, false)
	f.Add(t, f.Alice, "Subject: x\r\n\r\n", "")
	c := f.Client(t)
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	c.Do("RETR 1", "+OK")
	c.ReadMultiline()
	c.Do("DELE 1", "+OK")
	c.Do("XYZZY", "-ERR")
	c.Do("QUIT", "+OK")
	c = f.Client(t)
	c.Do("QUIT", "+OK")
	c = f.Client(t)
	c.Do("USER alice", "+OK")
	c.Do("PASS wrong", "-ERR")
	c.Do("QUIT", "+OK")
	ends := map[string][]map[string]any{}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		clear(ends)
		for line := range strings.Lines(log.String()) {
			var entry map[string]any
			if err := json.NewDecoder(bytes.NewReader([]byte(line))).Decode(&entry); err != nil {
				return err
			}
			if text := entry["msg"].(string); text == "logout" || text == "session ended" {
				ends[text] = append(ends[text], entry)
			}
		}
		if len(ends["logout"])+len(ends["session ended"]) < 3 {
			return errors.New("a session has no line yet")
		}
		return nil
	})
	if len(ends["logout"]) != 1 || len(ends["session ended"]) != 2 {
		t.Fatal(ends)
	}
	for key, want := range map[string]any{
		"protocol": "pop3", "user": "alice@example.test", "tls": false, "ended": "quit", "commands": 6.0, "retrieved": 1.0, "removed": 1.0,
		"level": "INFO", "durability": "local",
	} {
		if got := ends["logout"][0][key]; got != want {
			t.Errorf("logout has %s=%v, want %v", key, got, want)
		}
	}
	if ends["logout"][0]["remote"] == nil || ends["logout"][0]["seconds"] == nil {
		t.Errorf("%v", ends["logout"][0])
	}
	levels := map[any]float64{}
	for _, line := range ends["session ended"] {
		levels[line["level"]] = line["failures"].(float64)
	}
	if failures, info := levels["INFO"]; !info || failures != 1 {
		t.Errorf("session ended: %v", ends["session ended"])
	}
	if failures, debug := levels["DEBUG"]; !debug || failures != 0 {
		t.Errorf("session ended: %v", ends["session ended"])
	}
	families, err := f.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]uint64{}
	for _, family := range families {
		if family.GetName() == "popelago_pop3server_command_seconds" {
			for _, m := range family.GetMetric() {
				commands[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	if commands["QUIT"] != 3 || commands["RETR"] != 1 || commands["other"] != 1 || commands["TOP"] != 0 {
		t.Errorf("commands %v", commands)
	}
}
