package cassandra

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is the result of one check of Doctor.
type Finding struct {
	// Level is FindingOK, FindingWarning or FindingError.
	Level string `json:"level"`
	// Check names the subject in one word such as "clock".
	Check string `json:"check"`
	// Text describes the finding.
	Text string `json:"text"`
	// Hint says how to correct the finding; empty if nothing is to be done.
	Hint string `json:"hint,omitempty"`
}

// The levels of findings.
const (
	FindingOK      = "ok"
	FindingWarning = "warning" // the server works, but promises less than it should
	FindingError   = "error"   // the server does not work, or not always
)

// failedCheck reports a check that failed.
func failedCheck(check, text string, err error) Finding {
	return Finding{Level: FindingError, Check: check, Text: fmt.Sprintf("%s: %v", text, err)}
}

// datacenters lists the datacenters of nodes, in order.
func datacenters(nodes []node) []string {
	names := map[string]bool{}
	for _, n := range nodes {
		names[n.datacenter] = true
	}
	return sortedKeys(names)
}

func inDatacenter(nodes []node, name string) []node {
	var some []node
	for _, n := range nodes {
		if n.datacenter == name {
			some = append(some, n)
		}
	}
	return some
}

// nodeNames joins the addresses of nodes, and counts the nodes beyond the first few.
func nodeNames(nodes []node) string {
	const most = 6
	var list []string
	for _, n := range nodes {
		list = append(list, n.address)
	}
	slices.Sort(list)
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// count returns a text such as "1 node" or "3 nodes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// asked returns the nodes with known settings.
func asked(nodes []node) []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return n.err != nil || n.settingsErr != nil })
}

// having returns the nodes that f accepts.
func having(nodes []node, f func(node) bool) []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return !f(n) })
}

// firstOf joins names, and counts the names beyond the first few.
func firstOf(names []string) string {
	const most = 6
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], " "), len(names)-most)
	}
	return strings.Join(names, " ")
}
