package token

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"popelago/mail"
)

// Role names what a token may do within its scopes. Each role includes the roles below it.
type Role string

// The roles, from the least.
const (
	// ReadOnly sees settings and states, and changes nothing.
	ReadOnly Role = "read-only"
	// Operator does the daily work: accounts, passwords, background jobs, checks.
	Operator Role = "operator"
	// Admin does everything, tokens included.
	Admin Role = "admin"
)

func roles() []Role { return []Role{ReadOnly, Operator, Admin} }

// ParseRole returns the role with a name. Errors: ErrBadRequest.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("%w: %q is not a role: admin, operator or read-only", ErrBadRequest, name)
}

// Includes reports whether the role has the rights of another role. An unknown role has none.
func (r Role) Includes(other Role) bool {
	all := roles()
	own := slices.Index(all, r)
	return own >= 0 && own >= slices.Index(all, other) && slices.Contains(all, other)
}

// The texts of scopes.
const (
	// ScopeAll stands for everything, the server itself included.
	ScopeAll = "all"
	// scopeDomain begins the scope of one domain.
	scopeDomain = "domain:"
)

// maxScopes is the largest number of scopes of a token.
const maxScopes = 100

// Rights are the role of a caller, and the domains in which the role counts.
type Rights struct {
	Role Role
	// All reports the scope "all": every domain, and the server itself.
	All bool
	// Domains lists the domains without All: canonical, sorted.
	Domains []string
}

// ParseRights returns the rights of a role and of scopes such as "all" and "domain:example.org". A
// domain need not be hosted. Errors: ErrBadRequest.
func ParseRights(role string, scopes []string) (r Rights, err error) {
	if r.Role, err = ParseRole(role); err != nil {
		return Rights{}, err
	}
	if len(scopes) == 0 || len(scopes) > maxScopes {
		return Rights{}, fmt.Errorf("%w: %d scopes: 1 to %d are possible", ErrBadRequest, len(scopes), maxScopes)
	}
	for _, scope := range scopes {
		name, isDomain := strings.CutPrefix(scope, scopeDomain)
		switch {
		case scope == ScopeAll:
			r.All = true
			continue
		case !isDomain:
			return Rights{}, fmt.Errorf("%w: %q is not a scope: all, or domain:example.org", ErrBadRequest, scope)
		}
		domain, err := mail.CanonicalDomain(name)
		if err != nil {
			return Rights{}, fmt.Errorf("%w: scope %q: %w", ErrBadRequest, scope, err)
		}
		r.Domains = append(r.Domains, domain)
	}
	slices.Sort(r.Domains)
	r.Domains = slices.Compact(r.Domains)
	if r.All {
		r.Domains = nil
	}
	return r, nil
}

// Scopes undoes ParseRights.
func (r Rights) Scopes() []string {
	if r.All {
		return []string{ScopeAll}
	}
	scopes := make([]string, len(r.Domains))
	for i, d := range r.Domains {
		scopes[i] = scopeDomain + d
	}
	return scopes
}

// Reaches reports whether a canonical domain is in the scopes.
func (r Rights) Reaches(domain string) bool {
	_, found := slices.BinarySearch(r.Domains, domain)
	return r.All || found
}

// Covers reports whether no right of another caller goes beyond these rights.
func (r Rights) Covers(other Rights) bool {
	if !r.Role.Includes(other.Role) || other.All && !r.All {
		return false
	}
	return !slices.ContainsFunc(other.Domains, func(d string) bool { return !r.Reaches(d) })
}

// Caller is the source of a request, with its rights.
type Caller struct {
	// ID is the id of a token, or the name of another way in (Local, Configured).
	ID string
	Rights
	// Expires is the end of the token; zero: none.
	Expires time.Time
}

// Local returns the caller on the unix socket of the server, which the file system guards.
func Local() Caller { return Caller{ID: "socket", Rights: Rights{Role: Admin, All: true}} }

// Configured returns the caller with the secret of the configuration.
func Configured() Caller { return Caller{ID: "configured", Rights: Rights{Role: Admin, All: true}} }
