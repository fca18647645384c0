package cassandra

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// contactFailures collects the errors of all contact points while a session is opened. The driver itself
// returns only one of the errors, as a text.
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

// end returns the errors collected, or fallback if there are none.
func (c *contactFailures) end(fallback error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	if len(c.failed) == 0 {
		return fallback
	}
	return c.failed
}

// contactErrors is a list of errors with a text of one line.
type contactErrors []error

// Error implements error.
func (e contactErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors for errors.Is and errors.As.
func (e contactErrors) Unwrap() []error { return e }

// contactText returns why a contact point or node cannot be used, without the common prefix.
func contactText(err error) string {
	var each contactErrors
	if errors.As(err, &each) {
		return each.Error()
	}
	return err.Error()
}
