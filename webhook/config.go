package webhook

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"popelago/defaults"
	"popelago/event"
)

// Config holds the settings of an Outbox, a Sender and a Queue. The zero value of each field means its default,
// see DefaultConfig.
type Config struct {
	// Enabled keeps a queue of events.
	Enabled bool
	// Keep is the time for which an event is kept, sent or not.
	Keep time.Duration
	// Kinds lists the kinds of the events in the queue.
	Kinds []string
	// Domains lists the domains whose events enter the queue. None: all.
	Domains []string
	// Waiting is the largest number of events that wait for the store, about 500 octets each.
	Waiting int
	// FlushEvery is the longest time that an event waits before it enters the queue.
	FlushEvery time.Duration
	// Settle is the time for which a sender waits for events of other servers, to keep the order.
	Settle time.Duration
	// Alone: the store has no other server, so no event has to settle.
	Alone bool
	// Batch is the largest number of events in a request.
	Batch int
	// Timeout bounds a request.
	Timeout time.Duration
	// RetryMax is the longest pause between two requests with the same events.
	RetryMax time.Duration

	// Targets lists the webhooks.
	Targets []Target
	// Version is the version in the field User-Agent.
	Version string
	// Form returns the JSON form of an event. Required for a Sender.
	Form func(event.Event) any
	// Place stamps the events.
	Place event.Place
	// Logger receives the changes of the state of a webhook. Default: no log.
	Logger *slog.Logger
}

// storePatience bounds a call of the store.
const storePatience = 10 * time.Second

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		Keep:    7 * 24 * time.Hour,
		Kinds:   kindNames(event.Accepted, event.OverQuota, event.Retrieved, event.Removed, event.Expired, event.Purged, event.Restored, event.Unfetched, event.Growing),
		Waiting: 50_000, FlushEvery: 500 * time.Millisecond, Settle: 2 * time.Second,
		Batch: 100, Timeout: 10 * time.Second, RetryMax: 5 * time.Minute,
	}
}

// filled returns the settings with all defaults.
func (c Config) filled() Config {
	c = defaults.Fill(c, DefaultConfig())
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Place.Now == nil {
		c.Place.Now = time.Now
	}
	return c
}

func kindNames(kinds ...event.Kind) (names []string) {
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return names
}

// CheckKind reports whether a text names a kind of events.
func CheckKind(text string) error {
	if !slices.Contains(event.Kinds(), event.Kind(text)) {
		return fmt.Errorf("the kinds are %s", AllKinds())
	}
	return nil
}

// AllKinds returns the names of all kinds of events, separated by commas.
func AllKinds() string { return strings.Join(kindNames(event.Kinds()...), ", ") }

// Target is a webhook.
type Target struct {
	// Name names the webhook in commands, metrics and the log.
	Name string
	// URL receives the requests.
	URL string
	// Key signs the requests.
	Key []byte
}

// maxName is the length of the longest name of a webhook.
const maxName = 40

// ParseTarget returns the webhook of a text "NAME=URL", without its key.
func ParseTarget(text string) (Target, error) {
	name, address, ok := strings.Cut(text, "=")
	if !ok || !validName(name) {
		return Target{}, fmt.Errorf("the form is NAME=URL, with a name of up to %d small letters, digits and hyphens", maxName)
	}
	u, err := url.Parse(address)
	switch { // no text quotes the URL, which may have a password
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return Target{}, fmt.Errorf("the URL of %s is not an absolute URL of http or https", name)
	case u.User != nil:
		return Target{}, fmt.Errorf("the URL of %s has a user name or a password: requests are signed instead", name)
	case u.Fragment != "":
		return Target{}, fmt.Errorf("the URL of %s has a fragment (#), which no server gets", name)
	}
	return Target{Name: name, URL: address}, nil
}

func validName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// Bounds of a key, in octets (Standard Webhooks).
const (
	minKey = 24
	maxKey = 64
)

// keyPrefix begins a key in its text form.
const keyPrefix = "whsec_"

// WithKeys returns the targets with the keys of a file: one line "NAME KEY" for each webhook, where KEY is base64
// of 24 to 64 octets, with or without "whsec_" in front. Empty lines, and lines that begin with #, do not count.
// Errors name the line, and never quote a key.
func WithKeys(targets []Target, file []byte) ([]Target, error) {
	targets = slices.Clone(targets)
	lines := bufio.NewScanner(bytes.NewReader(file))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, text, _ := strings.Cut(line, " ")
		i := slices.IndexFunc(targets, func(t Target) bool { return t.Name == name })
		if i < 0 {
			if !validName(name) {
				return nil, fmt.Errorf("line %d: the form is NAME KEY", n)
			}
			continue // the key of a webhook that is turned off at present
		}
		if targets[i].Key != nil {
			return nil, fmt.Errorf("line %d: a second key of the webhook %s", n, name)
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), keyPrefix))
		if err != nil || len(key) < minKey || len(key) > maxKey {
			return nil, fmt.Errorf("line %d: the key of the webhook %s is not base64 of %d to %d octets: head -c 32 /dev/urandom | base64", n, name, minKey, maxKey)
		}
		targets[i].Key = key
	}
	for _, t := range targets {
		if t.Key == nil {
			return nil, fmt.Errorf("no line has a key of the webhook %s", t.Name)
		}
	}
	return targets, lines.Err()
}
