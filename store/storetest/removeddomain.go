package storetest

import (
	"slices"

	"popelago/store"
)

// wantRemovedDomains checks RemovedDomains, by name.
func (e *env) wantRemovedDomains(names ...string) {
	e.Helper()
	got, err := e.RemovedDomains(e.ctx)
	if err != nil || !slices.EqualFunc(got, names, func(d store.RemovedDomain, name string) bool { return d.Name == name }) {
		e.Fatalf("RemovedDomains: %v, %v; want %v", got, err, names)
	}
}
