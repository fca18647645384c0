package cassandra

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// contactFailures notes why contact points could not be used, while a session is being opened. The
// driver itself tells only of one of them, and that as a text.
type contactFailures struct {
	mu     sync.Mutex
	failed contactErrors
	done   bool
}

// ObserveConnect implements gocql.ConnectObserver.
func (c *contactFailures) ObserveConnect(o gocql.ObservedConnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.Err == nil || c.done {
		return
	}
	err := o.Err
	var refused *gocql.RequestErrCredentials
	if errors.As(err, &refused) || strings.HasPrefix(err.Error(), "authentication required") {
		err = fmt.Errorf("%w: %w", ErrSignIn, err)
	}
	c.failed = append(c.failed, fmt.Errorf("%s: %w", o.Host.HostnameAndPort(), err))
}

// end returns what was noted, or other if that is nothing.
func (c *contactFailures) end(other error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	if len(c.failed) == 0 {
		return other
	}
	return c.failed
}

// contactErrors are errors that read as one line.
type contactErrors []error

// Error implements error.
func (e contactErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets errors.Is and errors.As look at each.
func (e contactErrors) Unwrap() []error { return e }

// contactText is why a contact point or node cannot be used, without what is the same for all.
func contactText(err error) string {
	var each contactErrors
	if errors.As(err, &each) {
		return each.Error()
	}
	return err.Error()
}
