package adminclient

import (
	"context"
	"net/http"
	"time"
)

// CheckOptions select the work of a check.
type CheckOptions struct {
	Address string `json:"address,omitempty" maxLength:"1000" doc:"Only this address, with all its generations." example:"alice@example.org"`
	Repair  bool   `json:"repair,omitempty" doc:"Repair problems that have one certain repair."`
	Rebuild bool   `json:"rebuild,omitempty" doc:"Only add the missing entries of the mailbox of the address."`
	Deep    bool   `json:"deep,omitempty" doc:"Read all octets of all contents."`
	Force   bool   `json:"force,omitempty" doc:"Repair even if the number of findings exceeds the limit."`
	Restart bool   `json:"restart,omitempty" doc:"Begin from the start, even if an earlier check of the same kind was stopped half way."`
}

// The states of a check.
const (
	CheckNone    = "none"
	CheckRunning = "running"
	CheckDone    = "done"
	CheckStopped = "stopped"
	CheckFailed  = "failed"
)

// Check is the running check of a server, or its last one since the start.
type Check struct {
	CheckOptions
	State   string     `json:"state" enum:"none,running,done,stopped,failed" doc:"After stopped or failed, the next check of the same kind continues."`
	Phase   string     `json:"phase,omitempty" doc:"entries: from the mailboxes to the contents. contents: from the contents to the mailboxes."`
	Resumed bool       `json:"resumed" doc:"The check continues an earlier check, and includes its counts."`
	Begun   *time.Time `json:"begun,omitempty" doc:"Begin of the earliest check that this one continues."`
	Started *time.Time `json:"started,omitempty" doc:"Begin of this check."`
	Ended   *time.Time `json:"ended,omitempty" doc:"End of this check."`
	Error   string     `json:"error,omitempty" doc:"Reason of the failure. The cause is in the server's log."`

	Entries  int64 `json:"entries" doc:"Entries examined."`
	Contents int64 `json:"contents" doc:"Contents examined."`
	Octets   int64 `json:"octets" doc:"Octets read."`
	Young    int64 `json:"young" doc:"Entries and contents too young to be judged."`
	// JudgedFrom is nil if Young is zero.
	JudgedFrom *time.Time `json:"judgedFrom,omitempty" doc:"Moment from which a check can judge all entries and contents that were too young."`
	Window     string     `json:"window" doc:"The in-flight window: messages younger than this at the start of the check are too young to be judged." example:"1h0m0s"`

	Removed  int64 `json:"removed" doc:"Messages that the rebuild did not list, because they were removed or are past their retention."`
	Problems int64 `json:"problems" doc:"Problems found and not repaired."`

	Counts []CheckCount `json:"counts" nullable:"false" doc:"Findings by kind."`
	// Findings is empty while a check runs.
	Findings []CheckFinding `json:"findings" nullable:"false" doc:"The first findings; empty while the check runs."`
}

// CheckCount counts the findings of one kind.
type CheckCount struct {
	Kind     string `json:"kind" enum:"dangling,mismatch,damaged,orphan,unlisted" doc:"dangling: an entry without content. mismatch: an entry that contradicts its content. damaged: content that cannot be read to its end. orphan: content that no mailbox lists. unlisted: content that some mailbox does not list, which is a problem only if there are many."`
	Found    int64  `json:"found"`
	Repaired int64  `json:"repaired"`
	Held     int64  `json:"held" doc:"Not repaired, because the number exceeds the limit: an index was probably lost."`
}

// CheckFinding is one finding.
type CheckFinding struct {
	Kind     string `json:"kind"`
	Message  string `json:"message" doc:"The id of the message."`
	Mailbox  string `json:"mailbox,omitempty" doc:"The id of the mailbox, for a finding about an entry."`
	Address  string `json:"address,omitempty" doc:"The address of the mailbox."`
	Detail   string `json:"detail" doc:"Description of the problem."`
	Repaired bool   `json:"repaired"`
	Held     bool   `json:"held"`
}

// StartCheck begins a check. Status 409: a check is running; 404: no such account; 400:
// contradictory options; 503: not every replica can be read.
func (c *Client) StartCheck(ctx context.Context, o CheckOptions) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodPost, "/v1/check", o, &check)
	return check, err
}

// Check returns the running check, or the last one.
func (c *Client) Check(ctx context.Context) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodGet, "/v1/check", nil, &check)
	return check, err
}

// StopCheck stops the running check, if any, and returns it.
func (c *Client) StopCheck(ctx context.Context) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodDelete, "/v1/check", nil, &check)
	return check, err
}
