package datacenters

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// tokensAcross: an access token counts at once in the datacenter across, and a revoked token is refused across
// within seconds. Behind a cut a revoked token counts until the cut ends, as the revocation reports, and a
// new token gets a temporary error.
func tokensAcross() *story {
	var kept, revokedApart, madeApart adminclient.MadeToken
	return &story{
		name: "tokens across",
		whole: func(t *testing.T, s *sitetest.Sites) {
			kept, revokedApart = addToken(t, s, s.One), addToken(t, s, s.Two)
			for i, at := range s.Both() {
				there := s.Both()[1-i]
				token := addToken(t, s, at)
				for _, m := range []adminclient.MadeToken{token, kept, revokedApart} {
					if status := judgeToken(t, there, m.Secret); status != http.StatusOK {
						t.Errorf("a token made in the other datacenter is answered %d %s", status, s.Place(there))
					}
				}
				mailtest.WaitFor(t, sitetest.Limit, func() error { // a busy machine is no fault
					if !revokeToken(t, s, at, token) {
						return errors.New("a revocation has not reached every datacenter")
					}
					return nil
				})
				refused(t, s, at, token)
				refused(t, s, there, token)
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			if revokeToken(t, s, s.One, revokedApart) {
				t.Error("a revocation is said to have reached every datacenter")
			}
			refused(t, s, s.One, revokedApart)
			for range 3 {
				if status := judgeToken(t, s.Two, revokedApart.Secret); status != http.StatusOK {
					t.Errorf("behind the cut a token is answered %d", status)
				}
			}
			madeApart = addToken(t, s, s.One)
			if status := useToken(t, s.Two, madeApart.Secret); status != http.StatusServiceUnavailable {
				t.Errorf("a token made behind the cut is answered %d, want 503", status)
			}
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			refused(t, s, s.Two, revokedApart)
			for _, at := range s.Both() {
				if status := judgeToken(t, at, revokedApart.Secret); status != http.StatusUnauthorized {
					t.Errorf("a revoked token is answered %d %s", status, s.Place(at))
				}
				for _, m := range []adminclient.MadeToken{kept, madeApart} {
					mailtest.WaitFor(t, sitetest.Limit, func() error {
						if status := useToken(t, at, m.Secret); status != http.StatusOK {
							return fmt.Errorf("a token in force is answered %d %s", status, s.Place(at))
						}
						return nil
					})
				}
			}
		},
	}
}

// addToken makes a token at a server.
func addToken(t *testing.T, s *sitetest.Sites, at *servertest.Server) (made adminclient.MadeToken) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) (err error) {
		made, err = admin.AddToken(ctx, adminclient.NewToken{Role: "read-only", Scopes: []string{"all"}, Lifetime: "1d"})
		return err
	})
	return made
}

// revokeToken revokes a token at a server, and reports whether every datacenter has the revocation.
func revokeToken(t *testing.T, s *sitetest.Sites, at *servertest.Server, token adminclient.MadeToken) (everywhere bool) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		r, err := admin.RevokeToken(ctx, token.ID, false)
		everywhere = r.Everywhere
		return err
	})
	return everywhere
}

// refused waits until a server refuses a token, and logs the time.
func refused(t *testing.T, s *sitetest.Sites, at *servertest.Server, token adminclient.MadeToken) {
	t.Helper()
	began := time.Now()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if status := useToken(t, at, token.Secret); status != http.StatusUnauthorized {
			return fmt.Errorf("a revoked token is answered %d %s", status, s.Place(at))
		}
		return nil
	})
	t.Logf("a revoked token is refused %s after %v", s.Place(at), time.Since(began).Round(time.Millisecond))
}

// judgeToken is useToken, until the answer is no temporary error: a busy machine is no fault.
func judgeToken(t *testing.T, at *servertest.Server, secret string) (status int) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if status = useToken(t, at, secret); status == http.StatusServiceUnavailable {
			return errors.New("a token is answered 503")
		}
		return nil
	})
	return status
}

// useToken asks the API of a server with a token, and returns the status of the answer.
func useToken(t *testing.T, at *servertest.Server, secret string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(servertest.Deadline(t, servertest.StartLimit), http.MethodGet, "https://"+at.API(t)+"/v1/caller", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: at.CA.Client()}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
