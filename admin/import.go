package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/token"
)

func (a *api) addImport() {
	type request struct{ Body adminclient.Import }
	type report struct{ Body adminclient.ImportReport }
	register(a, huma.Operation{
		OperationID: "import-accounts", Method: http.MethodPost, Path: "/v1/accounts/import",
		Summary: "Make many accounts, or change them where they differ; each succeeds or fails by itself",
	}, func(ctx context.Context, in *request) (*report, error) {
		return &report{a.importAccounts(ctx, in.Body)}, nil
	})
}

// importAccounts passes the accounts within the right of the caller on, and reports all.
func (a *api) importAccounts(ctx context.Context, in adminclient.Import) adminclient.ImportReport {
	out := adminclient.ImportReport{Accounts: make([]adminclient.ImportResult, len(in.Accounts))}
	var wanted []account.Wanted
	var places []int
	for i, one := range in.Accounts {
		out.Accounts[i].Address = one.Address
		w, err := wantedOf(ctx, one)
		if err != nil {
			a.importRefused(&out.Accounts[i], err)
			continue
		}
		wanted, places = append(wanted, w), append(places, i)
	}
	for i, done := range a.directory.Import(ctx, wanted, in.DryRun) {
		result := &out.Accounts[places[i]]
		if done.Err != nil {
			a.importRefused(result, done.Err)
			if errors.Is(done.Err, store.ErrOutcomeUnknown) {
				address := wanted[i].Address.Canonical().String()
				a.happened(ctx, event.Event{Kind: event.Changed, Operation: "import-accounts", Address: address, Cause: changeDoubt})
				a.logger.Info("admin change", "operation", "import-accounts", "token", callerOf(ctx).ID, "on", address, "cause", changeDoubt)
			}
			continue
		}
		result.Outcome, result.Changes, result.NoPassword = string(done.Outcome), done.Changes, done.NoPassword
		if !in.DryRun && done.Outcome != account.OutcomeUnchanged {
			a.happened(ctx, event.Event{
				Kind: event.Changed, Operation: "import-accounts", Address: wanted[i].Address.Canonical().String(),
				After: result.Outcome + ": " + strings.Join(done.Changes, ","),
			})
			a.logger.Info("account imported", "address", wanted[i].Address.String(), "outcome", result.Outcome,
				"changes", strings.Join(done.Changes, ","), "token", callerOf(ctx).ID)
		}
	}
	return out
}

// wantedOf reads the description of an account. Errors: mail.ErrBadAddress, token.ErrForbidden.
func wantedOf(ctx context.Context, one adminclient.ImportedAccount) (account.Wanted, error) {
	address, err := mail.ParseNewAddress(one.Address)
	if err != nil {
		return account.Wanted{}, err
	}
	if !callerOf(ctx).Reaches(address.Canonical().Domain) {
		return account.Wanted{}, fmt.Errorf("%w: the domain is outside the scopes of the token", token.ErrForbidden)
	}
	if err := mayChange(ctx, one.Settings); err != nil {
		return account.Wanted{}, err
	}
	w := account.Wanted{
		Address: address, Password: one.Password, Hash: one.PasswordHash, State: store.AddressState(one.State), Settings: one.Settings,
	}
	if one.IfMatch != "" {
		w.Unchanged = func(present account.Account) error {
			if tag, err := tagOfAccount(present); err != nil || tag != one.IfMatch {
				return errors.Join(errChanged, err)
			}
			return nil
		}
	}
	return w, nil
}

// importRefused reports an account that is refused, or failed.
func (a *api) importRefused(result *adminclient.ImportResult, err error) {
	status, text := classify(err)
	result.Outcome, result.Status = adminclient.ImportRefused, status
	result.Reason = a.fault("import-accounts", status, text, err)
	if status >= http.StatusInternalServerError {
		result.Outcome = adminclient.ImportFailed
	}
}
