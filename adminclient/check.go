package adminclient

import (
	"context"
	"net/http"
	"time"
)

// CheckOptions say what a check does.
type CheckOptions struct {
	Address string `json:"address,omitempty" maxLength:"1000" doc:"Only this address, with all its generations." example:"alice@example.org"`
	Repair  bool   `json:"repair,omitempty" doc:"Put right what can be put right without a doubt."`
	Rebuild bool   `json:"rebuild,omitempty" doc:"Add the entries that the mailbox of the address lacks, and do nothing else."`
	Deep    bool   `json:"deep,omitempty" doc:"Read all octets of all contents."`
	Force   bool   `json:"force,omitempty" doc:"Repair also what is found in such numbers that it is held back."`
	Restart bool   `json:"restart,omitempty" doc:"Begin anew where an earlier check of the same kind was stopped half way."`
}

// The states of a check.
const (
	CheckNone    = "none"
	CheckRunning = "running"
	CheckDone    = "done"
	CheckStopped = "stopped"
	CheckFailed  = "failed"
)

// Check is the check under way on the server asked, or the last one since that was started.
type Check struct {
	CheckOptions
	State   string     `json:"state" enum:"none,running,done,stopped,failed" doc:"A check that is stopped or failed can be gone on with: the next one of the same kind does."`
	Phase   string     `json:"phase,omitempty" doc:"What it is at: entries (from the mailboxes to the contents) or contents (the way back)."`
	Resumed bool       `json:"resumed" doc:"It goes on with an earlier one, whose counts are included."`
	Begun   *time.Time `json:"begun,omitempty" doc:"When the first of these began."`
	Started *time.Time `json:"started,omitempty" doc:"When this one began."`
	Ended   *time.Time `json:"ended,omitempty" doc:"When it ended."`
	Error   string     `json:"error,omitempty" doc:"Why it failed. The cause is in the server's log."`

	Entries  int64 `json:"entries" doc:"Entries looked at."`
	Contents int64 `json:"contents" doc:"Contents looked at."`
	Octets   int64 `json:"octets" doc:"Octets read through."`
	Young    int64 `json:"young" doc:"Entries and contents that are too young to be judged."`
	// JudgedFrom is nil if Young is zero.
	JudgedFrom *time.Time `json:"judgedFrom,omitempty" doc:"From when on a check can judge all that were too young."`
	Window     string     `json:"window" doc:"The in-flight window: what was younger when the check started is too young to be judged." example:"1h0m0s"`

	Removed  int64 `json:"removed" doc:"Messages that rebuilding did not list, because they were removed or are kept no longer."`
	Problems int64 `json:"problems" doc:"Findings that are problems and not repaired."`

	Counts []CheckCount `json:"counts" nullable:"false" doc:"How much was found."`
	// Findings is empty while a check runs.
	Findings []CheckFinding `json:"findings" nullable:"false" doc:"The first findings; none while it runs."`
}

// CheckCount says how much was found of one kind.
type CheckCount struct {
	Kind     string `json:"kind" enum:"dangling,mismatch,damaged,orphan,unlisted" doc:"dangling: an entry without content. mismatch: an entry that does not fit its content. damaged: content that cannot be read whole. orphan: content that no mailbox lists. unlisted: content that some mailbox does not list, which is a problem only if there are many."`
	Found    int64  `json:"found"`
	Repaired int64  `json:"repaired"`
	Held     int64  `json:"held" doc:"So many that something must have been lost: not repaired."`
}

// CheckFinding is one thing that was found.
type CheckFinding struct {
	Kind     string `json:"kind"`
	Message  string `json:"message" doc:"The id of the message."`
	Mailbox  string `json:"mailbox,omitempty" doc:"The id of the mailbox, if it is about an entry."`
	Address  string `json:"address,omitempty" doc:"Whose that is."`
	Detail   string `json:"detail" doc:"What is amiss."`
	Repaired bool   `json:"repaired"`
	Held     bool   `json:"held"`
}

// StartCheck begins a check. Status 409: one is under way; 404: there is no such account; 400:
// the options do not go together; 503: not every replica can be read.
func (c *Client) StartCheck(ctx context.Context, o CheckOptions) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodPost, "/v1/check", o, &check)
	return check, err
}

// Check tells about the check under way, or the last one.
func (c *Client) Check(ctx context.Context) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodGet, "/v1/check", nil, &check)
	return check, err
}

// StopCheck stops the check under way, if there is one, and tells about it.
func (c *Client) StopCheck(ctx context.Context) (Check, error) {
	var check Check
	err := c.call(ctx, http.MethodDelete, "/v1/check", nil, &check)
	return check, err
}
