package main

import (
	"slices"
	"strconv"
	"time"

	"popelago/adminclient"
)

// notRead stands for a value that could not be read now.
const notRead = "could not be read"

// activityRows describes the use of an account. A value that is not known is described as unknown.
func activityRows(a adminclient.Activity) [][]string {
	missing := func(part string) bool { return slices.Contains(a.Missing, part) }
	text := func(part string, known *time.Time, otherwise string) string {
		switch {
		case missing(part):
			return notRead
		case known != nil:
			return when(*known)
		}
		return otherwise
	}
	never := "none noted"
	if !a.NotesLogins {
		never = "not noted by this server"
	}
	messages, octets, unfetched := notRead, notRead, "not known: retrievals are not noted"
	if a.Messages != nil {
		messages = strconv.Itoa(*a.Messages)
	}
	if a.Octets != nil {
		octets = strconv.FormatInt(*a.Octets, 10)
	}
	switch {
	case missing(adminclient.PartRetrievals):
		unfetched = notRead
	case a.Unfetched != nil:
		unfetched = strconv.Itoa(*a.Unfetched)
	}
	return [][]string{
		{"last login", text(adminclient.PartLogin, a.LastLogin, never)},
		{"last delivery", text(adminclient.PartMaildrop, a.LastDelivery, "not known: the maildrop is empty")},
		{"oldest message", text(adminclient.PartMaildrop, a.Oldest, "none")},
		{"messages", messages},
		{"octets", octets},
		{"unfetched", unfetched},
	}
}
