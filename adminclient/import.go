package adminclient

import (
	"context"
	"net/http"
)

// ImportLimit is the largest number of accounts of one Import. A request has 64 KiB at most.
const ImportLimit = 1000

// Import asks for accounts to be made, or changed where they differ.
type Import struct {
	DryRun   bool              `json:"dryRun,omitempty" doc:"Change nothing, and report what would be changed."`
	Accounts []ImportedAccount `json:"accounts" maxItems:"1000" nullable:"false" doc:"Each address once."`
}

// ImportedAccount describes an account as it should be. Absent parts stay as they are.
type ImportedAccount struct {
	Address string `json:"address" maxLength:"1000" doc:"local-part@domain, in a hosted domain." example:"alice@example.org"`
	// Without a password a new account has none, and nobody can log in.
	Password     string            `json:"password,omitempty" doc:"The password in clear text. A comparison with the present one costs a hash."`
	PasswordHash string            `json:"passwordHash,omitempty" doc:"The stored form of a password instead: argon2id in PHC form, bcrypt, SHA-256 or SHA-512 crypt."`
	State        string            `json:"state,omitempty" enum:"enabled,disabled"`
	Settings     map[string]string `json:"settings,omitempty" doc:"Settings by name; none removes a setting."`
	IfMatch      string            `json:"ifMatch,omitempty" maxLength:"100" doc:"Change the account only if it exists and has this entity-tag."`
}

// The outcomes of ImportResult.
const (
	ImportMade      = "made"
	ImportChanged   = "changed"
	ImportUnchanged = "unchanged"
	ImportRefused   = "refused"
	ImportFailed    = "failed"
)

// ImportResult reports one account of an Import.
type ImportResult struct {
	Address    string   `json:"address" doc:"As in the request."`
	Outcome    string   `json:"outcome" enum:"made,changed,unchanged,refused,failed" doc:"refused: a repetition would be refused too; failed: repeat the request."`
	Changes    []string `json:"changes,omitempty" doc:"The parts that differ from before: password, state, and names of settings."`
	NoPassword bool     `json:"noPassword,omitempty" doc:"The account is made without a password: nobody can log in."`
	// Status and Reason are as in the problem details of a request for the account alone.
	Status int    `json:"status,omitempty" doc:"The status that a request for the account alone would get; absent after a success." example:"409"`
	Reason string `json:"reason,omitempty" doc:"Why the account is refused or failed."`
}

// ImportReport is the result of an Import, in its order.
type ImportReport struct {
	Accounts []ImportResult `json:"accounts" nullable:"false"`
}

// Import makes and changes accounts. A repetition changes nothing. Every account succeeds or fails by itself.
func (c *Client) Import(ctx context.Context, i Import) (ImportReport, error) {
	var r ImportReport
	err := c.call(ctx, http.MethodPost, "/v1/accounts/import", i, &r)
	return r, err
}
