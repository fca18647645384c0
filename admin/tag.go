package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
)

// Entity-tags (RFC 9110 section 8.8.3) come from the properties and the own settings of an account or a domain,
// from the password of an account, and from the targets of an alias or a group. The settings in /settings have the tag of their account or domain. A request
// with If-Match changes nothing unless the resource that this server reads has one of the tags. So two
// administrators at once notice each other. If-Match coordinates nothing: between the comparison and the
// write, and in another datacenter, the resource may change, and the last write wins.

// tagged names the resource whose tag If-Match compares.
type tagged int

// The resources with a tag.
const (
	untagged tagged = iota
	taggedAccount
	taggedDomain
	taggedAlias
	taggedGroup
)

// Errors of If-Match.
var (
	// errChanged: the resource has another tag. HTTP answers 412.
	errChanged = errors.New("the resource has changed: If-Match names another state of it")
	// errNoTag: the operation has no use for If-Match. HTTP answers 400.
	errNoTag = errors.New("this operation does not support If-Match")
)

// tagOf returns the strong entity-tag of a value, from its form in JSON.
func tagOf(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("admin: entity-tag: %w", err)
	}
	return tagOfText(string(text)), nil
}

// tagOfText returns the strong entity-tag of a text.
func tagOfText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// withIfMatch describes the header If-Match of an operation on a resource with a tag.
func withIfMatch(op huma.Operation) huma.Operation {
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-Match", In: "header", Schema: &huma.Schema{Type: "string"},
		Description: "Entity-tags of the resource: with any other tag the answer is 412, and nothing changes. A check against the state that this server reads; no coordination of datacenters.",
	})
	return op
}

// matches checks the condition of a request. resource is the address or the domain in the path. Errors:
// errChanged, errNoTag, those of reading the resource.
func (a *api) matches(ctx context.Context, kind tagged, resource string) error {
	condition := ifMatchOf(ctx)
	if condition == "" {
		return nil
	}
	var current string
	var err error
	switch kind {
	case taggedAccount:
		var address mail.Address
		if address, err = mail.ParseAddress(resource); err == nil {
			current, err = a.accountTag(ctx, address)
		}
	case taggedDomain:
		current, err = a.domainTag(ctx, resource)
	case taggedAlias:
		current, err = a.aliasTag(ctx, resource, store.KindAlias)
	case taggedGroup:
		current, err = a.aliasTag(ctx, resource, store.KindGroup)
	default:
		return errNoTag
	}
	if err != nil {
		return err
	}
	for tag := range strings.SplitSeq(condition, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == current {
			return nil
		}
	}
	return errChanged
}

func (a *api) accountTag(ctx context.Context, address mail.Address) (string, error) {
	acc, err := a.directory.Account(ctx, address)
	if err != nil {
		return "", err
	}
	return tagOfAccount(acc)
}

func tagOfAccount(acc account.Account) (string, error) {
	return tagOf(struct {
		adminclient.Account
		Settings map[string]string `json:"settings,omitempty"` // an empty map is no map
		Password string            `json:"password"`
	}{accountOf(acc), acc.Settings, acc.PasswordTag})
}

func (a *api) domainTag(ctx context.Context, name string) (string, error) {
	d, err := a.directory.Domain(ctx, name)
	if err != nil {
		return "", err
	}
	return tagOfDomain(d)
}

func tagOfDomain(d store.Domain) (string, error) {
	return tagOf(struct {
		adminclient.Domain
		Settings map[string]string `json:"settings,omitempty"`
	}{domainOf(d), d.Settings})
}

// aliasTag returns the entity-tag of an alias or a group.
func (a *api) aliasTag(ctx context.Context, resource string, kind store.AddressKind) (string, error) {
	found, err := a.alias(ctx, resource, kind)
	if err != nil {
		return "", err
	}
	return tagOfAlias(found), nil
}

func tagOfAlias(a account.Alias) string {
	return tagOfText(fmt.Sprintf("%s %s %d %q", a.Kind, a.Address, a.Created.UnixMicro(), mail.AddressTexts(a.Targets)))
}

// ifMatchKey is the key of the header If-Match in the context of a request.
type ifMatchKey struct{}

func ifMatchOf(ctx context.Context) string {
	condition, _ := ctx.Value(ifMatchKey{}).(string)
	return condition
}
