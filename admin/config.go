package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
)

func (a *api) addConfig() {
	type showQuery struct {
		NonDefault bool `query:"nonDefault" doc:"Only settings that differ from their default."`
	}
	type list struct{ Body adminclient.SettingList }
	register(a, huma.Operation{
		OperationID: "show-config", Method: http.MethodGet, Path: "/v1/config",
		Summary:     "Show the settings in force on this server",
		Description: "No setting is a secret: secrets are in files, and settings name the files.",
	}, func(_ context.Context, in *showQuery) (*list, error) {
		out := &list{adminclient.SettingList{Settings: []adminclient.Setting{}}}
		for _, s := range a.cfg.Process.Settings() {
			if !in.NonDefault || s.Value != s.Default {
				out.Body.Settings = append(out.Body.Settings, s)
			}
		}
		return out, nil
	})

	type reloaded struct{ Body adminclient.Reload }
	register(a, huma.Operation{
		OperationID: "reload-config", Method: http.MethodPost, Path: "/v1/config/reload",
		Summary:       "Read the configuration of this server again",
		Description:   "Any mistake leaves all settings as they are. The answer lists the settings that count now, and those that need a restart.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, _ *struct{}) (*reloaded, error) {
		r, err := a.cfg.Process.Reload(ctx)
		if err != nil {
			return nil, err
		}
		return &reloaded{r}, nil
	})

	type level struct{ Body adminclient.LogLevel }
	register(a, huma.Operation{
		OperationID: "show-log-level", Method: http.MethodGet, Path: "/v1/log/level",
		Summary: "Show the level of the log of this server",
	}, func(context.Context, *struct{}) (*level, error) { return &level{a.cfg.Process.LogLevel()}, nil })

	type setLevel struct{ Body adminclient.NewLogLevel }
	register(a, huma.Operation{
		OperationID: "set-log-level", Method: http.MethodPut, Path: "/v1/log/level",
		Summary: "Change the level of the log of this server, for a while", DefaultStatus: http.StatusOK,
	}, func(_ context.Context, in *setLevel) (*level, error) {
		lasts, err := logTime(in.Body.For)
		if err != nil {
			return nil, err
		}
		l, err := a.cfg.Process.SetLogLevel(in.Body.Level, lasts)
		if err != nil {
			return nil, err
		}
		return &level{l}, nil
	})
	register(a, huma.Operation{
		OperationID: "reset-log-level", Method: http.MethodDelete, Path: "/v1/log/level",
		Summary: "Put the configured level of the log into force again", DefaultStatus: http.StatusOK,
	}, func(context.Context, *struct{}) (*level, error) {
		l, err := a.cfg.Process.SetLogLevel("", 0)
		if err != nil {
			return nil, err
		}
		return &level{l}, nil
	})
}

// maxLogTime is the longest time of another log level.
const maxLogTime = 30 * 24 * time.Hour

// logTime reads the time of another log level; empty: without end.
func logTime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d > 0 && d <= maxLogTime {
		return d, nil
	}
	return 0, fmt.Errorf("%w: %q is not a time such as 10m, up to 720h", account.ErrBadSetting, text)
}
