package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/token"
)

// userSecurity returns the way in of the operations for users.
func userSecurity() []map[string][]string { return []map[string][]string{{"password": {}}} }

// errNoOwnSession: a request to end sessions names none.
var errNoOwnSession = fmt.Errorf("%w: name a session, or set all", account.ErrBadSetting)

// addSelfSessions registers the operations of a user on the own password and the own sessions.
func (a *api) addSelfSessions() {
	type password struct{ Body adminclient.Password }
	register(a, huma.Operation{
		OperationID: "set-own-password", Method: http.MethodPut, Path: selfPath + "password", Security: userSecurity(),
		Summary: "Let a user change the password of the own account", Description: "Open sessions go on.",
		DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *password) (*struct{}, error) {
		login, err := loginOf(ctx)
		if err != nil {
			return nil, err
		}
		if err := a.directory.ChoosePassword(ctx, login, in.Body.Password); err != nil {
			return nil, err
		}
		a.logger.Info("account password changed by its user", "address", login.Address.String())
		return nil, nil
	})

	type list struct{ Body adminclient.SessionList }
	register(a, huma.Operation{
		OperationID: "list-own-sessions", Method: http.MethodGet, Path: selfPath + "sessions", Security: userSecurity(),
		Summary: "List the open sessions of the own account, on all servers",
	}, func(ctx context.Context, _ *struct{}) (*list, error) {
		ctx, login, err := onSessions(ctx)
		if err != nil {
			return nil, err
		}
		out, err := a.listSessions(ctx, adminclient.SessionFilter{User: login.Address.String()}, 1000)
		if err != nil {
			return nil, err
		}
		return &list{out}, nil
	})

	type end struct{ Body adminclient.OwnSessionEnd }
	type ended struct{ Body adminclient.SessionsEnded }
	register(a, huma.Operation{
		OperationID: "disconnect-own-sessions", Method: http.MethodPost, Path: selfPath + "sessions/disconnect", Security: userSecurity(),
		Summary: "Let a user end sessions of the own account, on all servers", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *end) (*ended, error) {
		ctx, login, err := onSessions(ctx)
		if err != nil {
			return nil, err
		}
		if in.Body.ID == "" && !in.Body.All {
			return nil, errNoOwnSession
		}
		out, err := a.endSessions(ctx, adminclient.SessionEnd{SessionFilter: adminclient.SessionFilter{ID: in.Body.ID, User: login.Address.String()}})
		if err != nil {
			return nil, err
		}
		return &ended{out}, nil
	})
}

// onSessions returns the context for a user's question about the sessions of the own account: the filter of
// the question names the account, and the caller reaches every session that the filter selects. Peers
// are asked with the secret of the configuration: a password goes to no peer.
func onSessions(ctx context.Context) (context.Context, account.Login, error) {
	login, err := loginOf(ctx)
	return withCaller(ctx, token.Caller{ID: userCaller, Rights: token.Rights{All: true}}), login, err
}

// addSelfMail registers the operations of a user on the own removed messages.
func (a *api) addSelfMail() {
	type query struct {
		After string `query:"after" maxLength:"70" doc:"The next of the page before."`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most messages of the answer."`
	}
	type list struct{ Body adminclient.RemovedList }
	register(a, huma.Operation{
		OperationID: "list-own-removed-messages", Method: http.MethodGet, Path: selfPath + "removed", Security: userSecurity(),
		Summary: "List the removed messages of the own account that can be restored",
	}, func(ctx context.Context, in *query) (*list, error) {
		own, err := a.ownMaildrop(ctx)
		if err != nil {
			return nil, err
		}
		found, err := a.cfg.Undelete.ListIn(ctx, own, time.Time{}, mail.UIDL(in.After), in.Limit)
		if err != nil {
			return nil, err
		}
		return &list{removedOf(found, a.cfg.Undelete.Window())}, nil
	})

	type restore struct{ Body adminclient.RestoreRequest }
	type restored struct{ Body adminclient.Restored }
	register(a, huma.Operation{
		OperationID: "restore-own-messages", Method: http.MethodPost, Path: selfPath + "restore", Security: userSecurity(),
		Summary: "Let a user bring removed messages back into the own maildrop", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *restore) (*restored, error) {
		own, err := a.ownMaildrop(ctx)
		if err != nil {
			return nil, err
		}
		s, err := parseRestore(in.Body)
		if err != nil {
			return nil, err
		}
		s.Restored = a.reportRestored(ctx, "restore-own-messages", own.Address, own.Mailbox)
		report, err := a.cfg.Undelete.RestoreIn(ctx, own, s, time.Now().Add(requestTime))
		if report.Messages > 0 {
			a.logger.Info("messages restored by their user", "address", own.Address.String(), "messages", report.Messages, "octets", report.Octets)
		}
		if err != nil {
			return nil, partialBehind(report.Messages, "restored", err)
		}
		return &restored{restoredOf(report)}, nil
	})
}

// ownMaildrop returns the maildrop of the user who made a request.
func (a *api) ownMaildrop(ctx context.Context) (account.Maildrop, error) {
	login, err := loginOf(ctx)
	if err != nil {
		return account.Maildrop{}, err
	}
	return a.directory.OwnMaildrop(ctx, login)
}
