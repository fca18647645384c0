package admin

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"popelago/mail"
	"popelago/token"
)

// reach names the part of the directory that an operation touches.
type reach int

// The reaches of operations.
const (
	// server: the server as a whole, or all domains. The caller needs the scope "all".
	server reach = iota
	// named: the domains that right.fields name. The caller needs a scope for each; a request that names
	// none touches the server.
	named
	// filtered: the operation shows or touches what the scopes of the caller reach, by itself.
	filtered
	// self: the account of a user who gave its address and password. No token reaches it.
	self
)

// right is the right that a caller needs for an operation.
type right struct {
	role  token.Role
	reach reach
	// fields lists the parts of a request with an address, a domain, or a list of these: path:NAME,
	// query:NAME or body:NAME, as the API names them.
	fields []string
	// owns lists the fields of the body that a caller may set in its own domains. Any other field needs
	// the scope "all". Nil: all fields.
	owns []string
	// tag is the resource of the path that If-Match compares.
	tag tagged
}

// rights declares the right of each operation, by OperationID, for the whole package. register refuses
// callers without the right, and everybody but a caller with all rights where the declaration is missing.
func rights() map[string]right {
	address := []string{"path:address"}
	domain := []string{"path:domain"}
	return map[string]right{
		"list-domains":  {role: token.ReadOnly, reach: filtered},
		"show-domain":   {role: token.ReadOnly, reach: named, fields: domain},
		"add-domain":    {role: token.Admin, reach: server, fields: []string{"body:name"}},
		"change-domain": {role: token.Admin, reach: named, fields: domain, owns: []string{"retention"}, tag: taggedDomain},
		"remove-domain": {role: token.Admin, reach: server, fields: domain, tag: taggedDomain},

		"list-accounts":   {role: token.ReadOnly, reach: named, fields: domain},
		"add-account":     {role: token.Operator, reach: named, fields: []string{"body:address"}},
		"import-accounts": {role: token.Operator, reach: filtered}, // each account is refused or permitted by itself
		"show-account":    {role: token.ReadOnly, reach: named, fields: address},
		"set-password":    {role: token.Operator, reach: named, fields: address, tag: taggedAccount},
		"set-state":       {role: token.Operator, reach: named, fields: address, tag: taggedAccount},
		"set-retention":   {role: token.Operator, reach: named, fields: address, tag: taggedAccount},
		"set-bulk":        {role: token.Operator, reach: server, fields: address},
		"rename-account":  {role: token.Operator, reach: named, fields: []string{"path:address", "body:to"}, tag: taggedAccount},
		"remove-account":  {role: token.Operator, reach: named, fields: address, tag: taggedAccount},

		"describe-settings":     {role: token.ReadOnly, reach: filtered},
		"show-domain-settings":  {role: token.ReadOnly, reach: named, fields: domain},
		"set-domain-settings":   {role: token.Admin, reach: named, fields: domain, tag: taggedDomain}, // see mayChange
		"show-account-settings": {role: token.ReadOnly, reach: named, fields: address},
		"set-account-settings":  {role: token.Operator, reach: named, fields: address, tag: taggedAccount}, // see mayChange
		"show-quota":            {role: token.ReadOnly, reach: named, fields: address},
		"show-domain-quota":     {role: token.ReadOnly, reach: named, fields: domain},
		"list-quotas":           {role: token.ReadOnly, reach: named, fields: domain},

		// The domains of targets and members are touched too: an alias sends them mail.
		"list-aliases":     {role: token.ReadOnly, reach: named, fields: domain},
		"add-alias":        {role: token.Operator, reach: named, fields: []string{"body:address", "body:target", "body:targets"}},
		"show-alias":       {role: token.ReadOnly, reach: named, fields: address},
		"set-alias-target": {role: token.Operator, reach: named, fields: []string{"path:address", "body:target", "body:targets"}, tag: taggedAlias},
		"remove-alias":     {role: token.Operator, reach: named, fields: address, tag: taggedAlias},
		"list-groups":      {role: token.ReadOnly, reach: named, fields: domain},
		"add-group":        {role: token.Operator, reach: named, fields: []string{"body:address", "body:members"}},
		"show-group":       {role: token.ReadOnly, reach: named, fields: address},
		"add-member":       {role: token.Operator, reach: named, fields: []string{"path:address", "path:member"}, tag: taggedGroup},
		"remove-member":    {role: token.Operator, reach: named, fields: address, tag: taggedGroup},
		"remove-group":     {role: token.Operator, reach: named, fields: address, tag: taggedGroup},
		"resolve-address":  {role: token.ReadOnly, reach: named, fields: address},

		"list-messages":   {role: token.ReadOnly, reach: named, fields: address},
		"show-header":     {role: token.Operator, reach: named, fields: address},
		"fetch-message":   {role: token.Operator, reach: named, fields: address},
		"verify-message":  {role: token.Operator, reach: named, fields: address},
		"put-message":     {role: token.Operator, reach: named, fields: address},
		"remove-messages": {role: token.Operator, reach: named, fields: address},

		"list-removed-messages": {role: token.ReadOnly, reach: named, fields: address},
		"restore-messages":      {role: token.Operator, reach: named, fields: address},

		// A test of a password is worth as much as the password.
		"test-address": {role: token.ReadOnly, reach: named, fields: []string{"body:address"}},
		"test-auth":    {role: token.Admin, reach: named, fields: []string{"body:address"}},
		"test-message": {role: token.ReadOnly, reach: named, fields: []string{"query:address"}},

		// The answers hold what the scopes of the caller reach.
		"trace-mail": {role: token.Operator, reach: filtered},
		"list-audit": {role: token.Admin, reach: filtered},

		"list-late":      {role: token.ReadOnly, reach: named, fields: []string{"query:address"}},
		"hand-over-late": {role: token.Operator, reach: named, fields: []string{"body:address", "body:to"}},
		"drop-late":      {role: token.Operator, reach: named, fields: []string{"body:address"}},

		"list-alarms": {role: token.ReadOnly, reach: filtered},

		"list-events":    {role: token.Operator, reach: filtered},
		"list-webhooks":  {role: token.ReadOnly, reach: server},
		"replay-webhook": {role: token.Admin, reach: server},

		"list-tasks":  {role: token.ReadOnly, reach: server},
		"run-task":    {role: token.Operator, reach: server},
		"cancel-task": {role: token.Operator, reach: server},
		"start-check": {role: token.Operator, reach: server},
		"show-check":  {role: token.ReadOnly, reach: server},
		"stop-check":  {role: token.Operator, reach: server},
		"show-clock":  {role: token.ReadOnly, reach: server},
		"trust-clock": {role: token.Admin, reach: server},

		healthOperation: {role: token.ReadOnly, reach: filtered}, // for everybody, see guard
		readyOperation:  {role: token.ReadOnly, reach: filtered},

		"show-server":     {role: token.ReadOnly, reach: server},
		"drain-server":    {role: token.Operator, reach: server},
		"undrain-server":  {role: token.Operator, reach: server},
		"show-config":     {role: token.Operator, reach: server},
		"reload-config":   {role: token.Admin, reach: server},
		"show-log-level":  {role: token.ReadOnly, reach: server},
		"set-log-level":   {role: token.Operator, reach: server},
		"reset-log-level": {role: token.Operator, reach: server},
		"list-servers":    {role: token.ReadOnly, reach: server},

		"show-own-retention": {reach: self},
		"set-own-retention":  {reach: self},

		"set-own-password":          {reach: self},
		"list-own-sessions":         {reach: self},
		"disconnect-own-sessions":   {reach: self},
		"list-own-removed-messages": {reach: self},
		"restore-own-messages":      {reach: self},

		// A token for domains reaches the sessions of their accounts.
		"list-sessions":       {role: token.ReadOnly, reach: filtered},
		"disconnect-sessions": {role: token.Operator, reach: filtered, fields: []string{"body:user", "body:id"}},

		"list-tokens":  {role: token.Admin, reach: filtered},
		"add-token":    {role: token.Admin, reach: filtered},
		"revoke-token": {role: token.Admin, reach: filtered},
		"show-caller":  {role: token.ReadOnly, reach: filtered},
	}
}

// rule is the right of an operation, bound to the type of its requests.
type rule struct {
	right
	operation string
	method    string
	declared  bool
	fields    [][]int // the indices of right.fields
	body      []int
	owned     []string // the Go names of right.owns
}

// ruleFor binds the right of an operation to a type of requests. A field that the type lacks makes the
// operation undeclared.
func (a *api) ruleFor(operation, method string, in reflect.Type) rule {
	r, ok := a.rights[operation]
	u := rule{right: r, operation: operation, method: method, declared: ok}
	for _, f := range r.fields {
		index := fieldOf(in, f)
		u.declared = u.declared && index != nil
		u.fields = append(u.fields, index)
	}
	if body, ok := in.FieldByName("Body"); ok && r.owns != nil {
		u.body = body.Index
		for _, name := range r.owns {
			f := jsonField(body.Type, name)
			u.declared = u.declared && f != nil
			if f != nil {
				u.owned = append(u.owned, f.Name)
			}
		}
	}
	a.operations = append(a.operations, operation)
	if !u.declared {
		a.undeclared = append(a.undeclared, operation)
	}
	return u
}

// fieldOf returns the index of a field such as path:address in a type of requests; nil: there is none.
func fieldOf(in reflect.Type, field string) []int {
	place, name, _ := strings.Cut(field, ":")
	if place == "body" {
		body, ok := in.FieldByName("Body")
		if !ok {
			return nil
		}
		f := jsonField(body.Type, name)
		if f == nil {
			return nil
		}
		return slices.Concat(body.Index, f.Index)
	}
	for _, f := range reflect.VisibleFields(in) {
		if f.Tag.Get(place) == name {
			return f.Index
		}
	}
	return nil
}

// jsonField returns the field of a struct with a name in JSON; nil: there is none.
func jsonField(t reflect.Type, name string) *reflect.StructField {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if tagged, _, _ := strings.Cut(f.Tag.Get("json"), ","); tagged == name {
			return &f
		}
	}
	return nil
}

// permit checks that a caller has the right for a request. touched lists the addresses and domains that
// the request names. Errors: token.ErrForbidden; mail.ErrBadAddress where the domain cannot be seen.
// permit asks the store nothing, so a refusal tells nothing about the existence of a domain.
func (u rule) permit(c token.Caller, in reflect.Value) (touched []string, err error) {
	for _, index := range u.fields {
		if index != nil {
			touched = append(touched, texts(in.FieldByIndex(index))...)
		}
	}
	switch {
	case u.reach == self && u.declared && c.ID == userCaller:
		return touched, nil
	case u.reach == self:
		return touched, errNeedsPassword
	case c.Role == token.Admin && c.All, u.operation == healthOperation, u.operation == readyOperation:
		return touched, nil
	case !u.declared:
		return touched, fmt.Errorf("%w: %s needs the role admin and the scope all", token.ErrForbidden, u.operation)
	case !c.Role.Includes(u.role):
		return touched, fmt.Errorf("%w: %s needs the role %s", token.ErrForbidden, u.operation, u.role)
	case c.All, u.reach == filtered:
		return touched, nil
	case u.reach == server, len(touched) == 0, u.reachesFurther(in):
		return touched, fmt.Errorf("%w: the request concerns the whole server, and needs the scope all", token.ErrForbidden)
	}
	for _, text := range touched {
		domain, err := domainIn(text)
		if err != nil {
			return touched, err
		}
		if !c.Reaches(domain) {
			return touched, fmt.Errorf("%w: the domain is outside the scopes of the token", token.ErrForbidden)
		}
	}
	return touched, nil
}

// reachesFurther reports whether the body of a request sets a field that is not in right.owns.
func (u rule) reachesFurther(in reflect.Value) bool {
	if u.owns == nil {
		return false
	}
	body := in.FieldByIndex(u.body)
	for _, f := range reflect.VisibleFields(body.Type()) {
		if !f.Anonymous && !slices.Contains(u.owned, f.Name) && !body.FieldByIndex(f.Index).IsZero() {
			return true
		}
	}
	return false
}

// texts returns the texts of a field: a text, or a list of texts. Empty texts are left out.
func texts(v reflect.Value) []string {
	var all []string
	switch v.Kind() {
	case reflect.String:
		all = []string{v.String()}
	case reflect.Pointer:
		if !v.IsNil() {
			all = texts(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, texts(v.Index(i))...)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// domainIn returns the canonical domain of an address or of a domain. Errors: mail.ErrBadAddress.
func domainIn(text string) (string, error) {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		text = text[at+1:]
	}
	return mail.CanonicalDomain(text)
}

// audit logs a change, with the caller. more are further keys and values.
func (a *api) audit(c token.Caller, u rule, touched []string, more ...any) {
	if u.method == http.MethodGet {
		return
	}
	a.logger.With("operation", u.operation, "token", c.ID, "on", strings.Join(touched, ",")).Info("admin change", more...)
}

// refused logs a request without the right.
func (a *api) refused(c token.Caller, u rule, err error) {
	a.logger.Warn("admin request refused", "operation", u.operation, "token", c.ID, "cause", err)
}
