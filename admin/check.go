package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/task"
)

func (a *api) addCheck() {
	type answer struct{ Body adminclient.Check }
	state := func() *answer { return &answer{checkOf(a.cfg.Checker.State())} }

	type start struct{ Body adminclient.CheckOptions }
	register(a, huma.Operation{
		OperationID: "start-check", Method: http.MethodPost, Path: "/v1/check",
		Summary: "Compare the entries of mailboxes with the contents, both ways", DefaultStatus: http.StatusAccepted,
	}, func(ctx context.Context, in *start) (*answer, error) {
		o, err := checkOptionsOf(in.Body)
		if err != nil {
			return nil, err
		}
		if err := a.cfg.Checker.Start(ctx, o); err != nil {
			return nil, err
		}
		return state(), nil
	})

	register(a, huma.Operation{
		OperationID: "show-check", Method: http.MethodGet, Path: "/v1/check",
		Summary: "Show the progress of the running check, or the result of the last one",
	}, func(context.Context, *struct{}) (*answer, error) { return state(), nil })

	register(a, huma.Operation{
		OperationID: "stop-check", Method: http.MethodDelete, Path: "/v1/check",
		Summary:     "Stop the running check",
		Description: "The next check of the same kind continues where this one stopped.", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		if err := a.cfg.Checker.Cancel(ctx); err != nil {
			return nil, err
		}
		return state(), nil
	})
}

func checkOptionsOf(o adminclient.CheckOptions) (task.CheckOptions, error) {
	out := task.CheckOptions{Repair: o.Repair, Rebuild: o.Rebuild, Deep: o.Deep, Force: o.Force, Restart: o.Restart}
	if o.Address == "" {
		return out, nil
	}
	var err error
	out.Address, err = mail.ParseAddress(o.Address)
	return out, err
}

func checkOf(s task.CheckState) adminclient.Check {
	c := adminclient.Check{
		CheckOptions: adminclient.CheckOptions{
			Repair: s.Options.Repair, Rebuild: s.Options.Rebuild, Deep: s.Options.Deep, Force: s.Options.Force, Restart: s.Options.Restart,
		},
		State: string(s.Result), Phase: s.Phase, Resumed: s.Resumed,
		Begun: moment(s.Report.Begun), Started: moment(s.Started), Ended: moment(s.Ended),
		Entries: s.Report.Entries, Contents: s.Report.Contents, Octets: s.Report.Octets, Young: s.Report.Young,
		JudgedFrom: moment(s.Report.JudgedFrom), Window: s.Window.String(),
		Removed: s.Report.Removed, Problems: s.Report.Problems(),
		Counts: []adminclient.CheckCount{}, Findings: []adminclient.CheckFinding{},
	}
	if c.State == "" {
		c.State = adminclient.CheckNone
	}
	if s.Options.Address != (mail.Address{}) {
		c.Address = s.Options.Address.String()
	}
	if s.Err != nil {
		_, c.Error = classify(s.Err)
	}
	for _, kind := range task.CheckKinds {
		if n := s.Report.Counts[kind]; n.Found > 0 {
			c.Counts = append(c.Counts, adminclient.CheckCount{Kind: string(kind), Found: n.Found, Repaired: n.Repaired, Held: n.Held})
		}
	}
	if s.Result == task.CheckRunning {
		return c
	}
	for _, f := range s.Report.Findings {
		out := adminclient.CheckFinding{
			Kind: string(f.Kind), Message: f.Message.String(), Address: f.Address, Detail: f.Detail, Repaired: f.Repaired, Held: f.Held,
		}
		if !f.Mailbox.IsZero() {
			out.Mailbox = f.Mailbox.String()
		}
		c.Findings = append(c.Findings, out)
	}
	return c
}
