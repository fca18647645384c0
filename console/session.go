package console

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// session is a signed-in client. The cookie holds the session, sealed with AES-256-GCM:
//
//	{"id":"...","until":"2026-11-26T20:00:00Z","secret":"..."}
type session struct {
	// ID names the session, for the list of ended sessions.
	ID string `json:"id"`
	// Until is the end of the session.
	Until time.Time `json:"until"`
	// Name is the address of a user; empty in the console.
	Name string `json:"name,omitempty"`
	// Secret is the token of an administrator, or the password of a user.
	Secret string `json:"secret"`
}

// maxCookie bounds the cookie of a session, in octets. Browsers keep 4096.
const maxCookie = 3800

// keeper seals and opens sessions.
type keeper struct {
	aead cipher.AEAD
	name string // of the cookie
	path string
	life time.Duration
	now  func() time.Time

	mu sync.Mutex
	// ended holds the ends of sessions that signed out here, by id.
	ended map[string]time.Time
}

// maxEnded bounds the memory for ended sessions. Beyond, a signed-out session is forgotten by its browser
// alone.
const maxEnded = 10_000

// newKeeper makes a keeper. Sites with different names have different keys.
func newKeeper(cfg Config, path, site, cookie string) (*keeper, error) {
	secret := []byte(cfg.Secret)
	if len(secret) == 0 {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "popelago console session "+site, 32)
	if err != nil {
		return nil, fmt.Errorf("console: key for sessions: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("console: key for sessions: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("console: key for sessions: %w", err)
	}
	return &keeper{aead: aead, name: cookie, path: path, life: cfg.Session, now: cfg.Now, ended: map[string]time.Time{}}, nil
}

// cookieName returns the name of the cookie. Over TLS the prefix keeps out cookies set without TLS.
func (k *keeper) cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Secure-" + k.name
	}
	return k.name
}

// begin starts a session. until is the end of the token; zero: none. Errors: errLongSecret.
func (k *keeper) begin(w http.ResponseWriter, r *http.Request, name, secret string, until time.Time) error {
	end := k.now().Add(k.life)
	if !until.IsZero() && until.Before(end) {
		end = until
	}
	value, err := k.seal(session{ID: rand.Text(), Until: end.UTC().Truncate(time.Second), Name: name, Secret: secret})
	if err != nil {
		return err
	}
	k.set(w, r, value, max(1, int(end.Sub(k.now()).Seconds())))
	return nil
}

// seal returns the cookie of a session. Errors: errLongSecret.
func (k *keeper) seal(s session) (string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("console: begin a session: %w", err)
	}
	value := base64.RawURLEncoding.EncodeToString(k.aead.Seal(nil, nil, text, nil))
	if len(value) > maxCookie {
		return "", errLongSecret
	}
	return value, nil
}

// end ends the session of a request, in the browser and on this server.
func (k *keeper) end(w http.ResponseWriter, r *http.Request) {
	if s, err := k.of(r); err == nil {
		k.mu.Lock()
		now := k.now()
		for id, until := range k.ended {
			if !now.Before(until) {
				delete(k.ended, id)
			}
		}
		if len(k.ended) < maxEnded {
			k.ended[s.ID] = s.Until
		}
		k.mu.Unlock()
	}
	k.set(w, r, "", -1)
}

func (k *keeper) set(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: k.cookieName(r), Value: value, Path: k.path, MaxAge: age,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// of returns the session of a request. Errors: errSignedOut; errExpired for a session that has ended, or
// was sealed with another key.
func (k *keeper) of(r *http.Request) (session, error) {
	cookie, err := r.Cookie(k.cookieName(r))
	if err != nil || cookie.Value == "" {
		return session{}, errSignedOut
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return session{}, errExpired
	}
	text, err := k.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return session{}, errExpired
	}
	var s session
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&s); err != nil {
		return session{}, errExpired
	}
	k.mu.Lock()
	_, ended := k.ended[s.ID]
	k.mu.Unlock()
	if ended || !k.now().Before(s.Until) {
		return session{}, errExpired
	}
	return s, nil
}
