package adminclient

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A socket of another user differs from an absent server.
func TestPermissionDenied(t *testing.T) {
	dial := func(cause error) error {
		return &url.Error{Op: "Get", URL: "http://unix/", Err: &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", cause)}}
	}
	c := Unix("/var/lib/popelago/admin.sock")
	defer c.Close()
	err := c.explain(context.Background(), dial(syscall.EACCES))
	if !errors.Is(err, ErrNotPermitted) || errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), "/var/lib/popelago/admin.sock: permission denied") ||
		!strings.Contains(err.Error(), "only the user that runs the server") {
		t.Errorf("a socket of another user: %v", err)
	}
	for _, cause := range []error{syscall.ECONNREFUSED, syscall.ENOENT} {
		if err := c.explain(context.Background(), dial(cause)); !errors.Is(err, ErrNoServer) || errors.Is(err, ErrNotPermitted) {
			t.Errorf("%v: %v", cause, err)
		}
	}
}
