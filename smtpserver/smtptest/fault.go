package smtptest

import (
	"strings"

	"popelago/store"
	"popelago/store/storetest"
)

// faultOf returns a lasting fault of the store by name; ok is false if there is no such fault:
//
//	directory     AddressRows
//	domains       Domain
//	new           NewContent
//	put           PutContent
//	write         the content, behind the Received line
//	add           AddMessages
//	add-second    the second half of the entries of AddMessages
//	unknown       AddMessages, which adds the entries and answers store.ErrOutcomeUnknown
//
// The suffix "-full" makes the error store.ErrFull.
func faultOf(name string) (f *storetest.Fault, ok bool) {
	name, full := strings.CutSuffix(name, "-full")
	f = &storetest.Fault{Lasting: true}
	if full {
		f.Class = store.ErrFull
	}
	switch name {
	case "directory":
		f.Operation = "AddressRows"
	case "domains":
		f.Operation = "Domain"
	case "new":
		f.Operation = "NewContent"
	case "put":
		f.Operation = "PutContent"
	case "write":
		f.Operation, f.K = "Content.Write", 1
	case "add":
		f.Operation = "AddMessages"
	case "add-second":
		f.Operation, f.Mode = "AddMessages", storetest.Half
	case "unknown":
		f.Operation, f.Mode = "AddMessages", storetest.After
	default:
		return nil, false
	}
	return f, true
}
