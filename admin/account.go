package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
)

// AccountPath is the part of a request that names an account. It is exported because huma fills
// only exported embedded fields.
type AccountPath struct {
	Address string `path:"address" maxLength:"1000" doc:"The account's address."`
}

func (p AccountPath) parse() (mail.Address, error) { return mail.ParseAddress(p.Address) }

func (a *api) addAccounts() {
	a.addAccountList()

	type add struct{ Body adminclient.NewAccount }
	type added struct{ Body adminclient.Account }
	register(a, huma.Operation{
		OperationID: "add-account", Method: http.MethodPost, Path: "/v1/accounts",
		Summary: "Make an account in a hosted domain", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *add) (*added, error) {
		address, err := mail.ParseNewAddress(in.Body.Address)
		if err != nil {
			return nil, err
		}
		acc, err := a.directory.AddAccount(ctx, address, in.Body.Password)
		if err != nil {
			return nil, err
		}
		a.logger.Info("account added", "address", acc.Address.String())
		return &added{accountOf(acc)}, nil
	})

	type detail struct {
		ETag string `header:"ETag"`
		Body adminclient.AccountDetail
	}
	register(a, huma.Operation{
		OperationID: "show-account", Method: http.MethodGet, Path: "/v1/accounts/{address}",
		Summary:     "Show an account, with its messages, its last login and its last delivery",
		Description: "A part that cannot be read in time is listed in missing and its values are absent; the answer has the other parts.",
	}, func(ctx context.Context, in *AccountPath) (*detail, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		acc, err := a.directory.Account(ctx, address)
		if err != nil {
			return nil, err
		}
		domain, err := a.directory.Domain(ctx, acc.Address.Domain)
		if err != nil {
			return nil, err
		}
		keep := a.directory.Keeping(domain)
		out := &detail{Body: adminclient.AccountDetail{
			Account: accountOf(acc), DomainRetention: domainOf(domain).Retention,
			RetentionInForce: inForce(keep.Of(acc.Retention)), Settings: acc.Settings,
		}}
		if out.ETag, err = tagOfAccount(acc); err != nil {
			return nil, err
		}
		out.Body.Activity = a.activity(ctx, acc, keep)
		return out, nil
	})

	a.addAccountChanges()
	a.addImport()
}

func (a *api) addAccountChanges() {
	type password struct {
		AccountPath
		Body adminclient.Password
	}
	register(a, huma.Operation{
		OperationID: "set-password", Method: http.MethodPut, Path: "/v1/accounts/{address}/password",
		Summary: "Set the password of an account",
	}, func(ctx context.Context, in *password) (*struct{}, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		if err := a.directory.SetPassword(ctx, address, in.Body.Password); err != nil {
			return nil, err
		}
		a.logger.Info("password changed", "address", address.String())
		return nil, nil
	})

	type state struct {
		AccountPath
		Body adminclient.State
	}
	register(a, huma.Operation{
		OperationID: "set-state", Method: http.MethodPut, Path: "/v1/accounts/{address}/state",
		Summary: "Enable or disable an account",
	}, func(ctx context.Context, in *state) (*struct{}, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		if err := a.directory.SetState(ctx, address, store.AddressState(in.Body.State)); err != nil {
			return nil, err
		}
		a.logger.Info("account state changed", "address", address.String(), "state", in.Body.State)
		return nil, nil
	})

	type retention struct {
		AccountPath
		Body adminclient.Retention
	}
	register(a, huma.Operation{
		OperationID: "set-retention", Method: http.MethodPut, Path: "/v1/accounts/{address}/retention",
		Summary: "Set the retention of an account",
	}, func(ctx context.Context, in *retention) (*struct{}, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		d, err := parseRetention(in.Body.Retention)
		if err != nil {
			return nil, err
		}
		if err := a.directory.SetRetention(ctx, address, d); err != nil {
			return nil, err
		}
		a.logger.Info("account retention changed", "address", address.String(), "retention", in.Body.Retention)
		return nil, nil
	})

	type bulk struct{ Body adminclient.Bulk }
	register(a, huma.Operation{
		OperationID: "set-bulk", Method: http.MethodPut, Path: "/v1/accounts/{address}/bulk",
		Summary: "Make the mailbox of an account bulk, permanently",
	}, func(ctx context.Context, in *AccountPath) (*bulk, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		since, err := a.directory.SetBulk(ctx, address)
		if err != nil {
			return nil, err
		}
		a.logger.Info("account made bulk", "address", address.String(), "since", since)
		return &bulk{adminclient.Bulk{Since: since}}, nil
	})

	type rename struct {
		AccountPath
		Body adminclient.NewAddress
	}
	type renamed struct{ Body adminclient.Account }
	register(a, huma.Operation{
		OperationID: "rename-account", Method: http.MethodPost, Path: "/v1/accounts/{address}/rename",
		Summary: "Give an account another address; the old address becomes an alias",
	}, func(ctx context.Context, in *rename) (*renamed, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		to, err := mail.ParseNewAddress(in.Body.To)
		if err != nil {
			return nil, err
		}
		acc, err := a.directory.Rename(ctx, address, to)
		if err != nil {
			return nil, err
		}
		a.logger.Info("account renamed", "from", address.String(), "to", acc.Address.String(), "mailbox", acc.Mailbox.String())
		return &renamed{accountOf(acc)}, nil
	})

	type removal struct{ Body adminclient.Removal }
	register(a, huma.Operation{
		OperationID: "remove-account", Method: http.MethodDelete, Path: "/v1/accounts/{address}",
		Summary: "End an account and remove its messages",
	}, func(ctx context.Context, in *AccountPath) (*removal, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		r, err := a.removeAccount(ctx, address)
		if err != nil {
			return nil, err
		}
		return &removal{r}, nil
	})
}

func accountOf(a account.Account) adminclient.Account {
	out := adminclient.Account{
		Address: a.Address.String(), State: string(a.State), Mailbox: a.Mailbox.String(), Created: a.Created,
		Retention: a.Retention.String(),
	}
	if !a.Bulk.IsZero() {
		out.Bulk = &a.Bulk
	}
	return out
}
