// Package defaults completes settings that a caller left out.
//
// Each package with a Config has a DefaultConfig, which is the only place of its default values.
// The constructor of the package fills a Config from there, and package config begins with it.
package defaults

import "reflect"

// Fill returns cfg, a struct, with the value from def in every exported field that is zero. A bool
// cannot have the default true.
func Fill[T any](cfg, def T) T {
	to, from := reflect.ValueOf(&cfg).Elem(), reflect.ValueOf(def)
	for i := range to.NumField() {
		if f := to.Field(i); f.CanSet() && f.IsZero() {
			f.Set(from.Field(i))
		}
	}
	return cfg
}
