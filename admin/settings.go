package admin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/token"
)

// SettingsChange is a change of settings by name. It is exported because huma needs its schema.
type SettingsChange map[string]string

// Schema names every setting. Unknown names pass, so that the answer can name a similar setting.
func (SettingsChange) Schema(huma.Registry) *huma.Schema {
	most := 1000
	s := &huma.Schema{
		Type: huma.TypeObject, Properties: map[string]*huma.Schema{},
		AdditionalProperties: &huma.Schema{Type: huma.TypeString, MaxLength: &most},
	}
	for _, setting := range account.Settings() {
		s.Properties[setting.Name] = &huma.Schema{
			Type: huma.TypeString, MaxLength: &most,
			Description: setting.Doc + " Form: " + setting.Form + "; empty or none: as if the setting were absent.",
		}
	}
	for _, p := range s.Properties {
		p.PrecomputeMessages()
	}
	s.AdditionalProperties.(*huma.Schema).PrecomputeMessages()
	s.PrecomputeMessages()
	return s
}

func (a *api) addSettings() {
	type infos struct {
		Body adminclient.SettingInfoList
	}
	register(a, huma.Operation{
		OperationID: "describe-settings", Method: http.MethodGet, Path: "/v1/settings",
		Summary: "Describe the settings of accounts and domains",
	}, func(context.Context, *struct{}) (*infos, error) {
		out := &infos{adminclient.SettingInfoList{Settings: []adminclient.SettingInfo{}}}
		for _, s := range account.Settings() {
			out.Body.Settings = append(out.Body.Settings, infoOf(s))
		}
		return out, nil
	})
	a.addAccountSettings()

	register(a, huma.Operation{
		OperationID: "show-domain-settings", Method: http.MethodGet, Path: "/v1/domains/{domain}/settings",
		Summary: "Show the settings of a domain, and the values in force",
	}, func(ctx context.Context, in *DomainPath) (*shownSettings, error) {
		return a.showDomainSettings(ctx, in.Domain)
	})

	type change struct {
		DomainPath
		Body SettingsChange
	}
	register(a, huma.Operation{
		OperationID: "set-domain-settings", Method: http.MethodPatch, Path: "/v1/domains/{domain}/settings",
		Summary: "Change settings of a domain by name; absent settings stay unchanged",
	}, func(ctx context.Context, in *change) (*shownSettings, error) {
		if err := mayChange(ctx, in.Body); err != nil {
			return nil, err
		}
		c, err := a.directory.DomainChange(in.Body)
		if err != nil {
			return nil, err
		}
		d, err := a.directory.ChangeDomain(ctx, in.Domain, c)
		if err != nil {
			return nil, err
		}
		a.logger.Info("domain settings changed", "domain", d.Name, "settings", slices.Sorted(maps.Keys(in.Body)))
		return a.showDomainSettings(ctx, in.Domain)
	})
}

// shownSettings is the answer of the operations on the settings of one account or domain.
type shownSettings struct {
	ETag string `header:"ETag"`
	Body adminclient.Settings
}

// showDomainSettings reads the tag first: settings newer than their tag cost a repetition, and settings older
// than their tag would let a change pass that saw the old ones.
func (a *api) showDomainSettings(ctx context.Context, name string) (*shownSettings, error) {
	tag, err := a.domainTag(ctx, name)
	if err != nil {
		return nil, err
	}
	view, err := a.directory.DomainSettings(ctx, name)
	if err != nil {
		return nil, err
	}
	return &shownSettings{tag, settingsOf(view)}, nil
}

// showAccountSettings reads the tag first, see showDomainSettings.
func (a *api) showAccountSettings(ctx context.Context, address mail.Address) (*shownSettings, error) {
	tag, err := a.accountTag(ctx, address)
	if err != nil {
		return nil, err
	}
	view, err := a.directory.AccountSettings(ctx, address)
	if err != nil {
		return nil, err
	}
	return &shownSettings{tag, settingsOf(view)}, nil
}

func (a *api) addAccountSettings() {
	register(a, huma.Operation{
		OperationID: "show-account-settings", Method: http.MethodGet, Path: "/v1/accounts/{address}/settings",
		Summary: "Show the settings of an account, and the values in force",
	}, func(ctx context.Context, in *AccountPath) (*shownSettings, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.showAccountSettings(ctx, address)
	})

	type change struct {
		AccountPath
		Body SettingsChange
	}
	register(a, huma.Operation{
		OperationID: "set-account-settings", Method: http.MethodPatch, Path: "/v1/accounts/{address}/settings",
		Summary: "Change settings of an account by name; absent settings stay unchanged",
	}, func(ctx context.Context, in *change) (*shownSettings, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		if err := mayChange(ctx, in.Body); err != nil {
			return nil, err
		}
		if err := a.directory.SetAccountSettings(ctx, address, in.Body); err != nil {
			return nil, err
		}
		a.logger.Info("account settings changed", "address", address.String(), "settings", slices.Sorted(maps.Keys(in.Body)))
		return a.showAccountSettings(ctx, address)
	})
}

func infoOf(s account.Setting) adminclient.SettingInfo {
	info := adminclient.SettingInfo{Name: s.Name, Form: s.Form, Default: s.Default(), Doc: s.Doc, For: []string{}}
	for _, source := range []struct {
		has  bool
		name account.Source
	}{{s.Account, account.SourceAccount}, {s.Domain, account.SourceDomain}, {s.Server, account.SourceServer}} {
		if source.has {
			info.For = append(info.For, string(source.name))
		}
	}
	return info
}

// mayChange checks that the caller may change the settings: a caller without the scope "all" may change only
// settings that are delegated. Errors: token.ErrForbidden.
func mayChange(ctx context.Context, change SettingsChange) error {
	if callerOf(ctx).All {
		return nil
	}
	for _, s := range account.Settings() {
		if _, changes := change[s.Name]; changes && !s.Delegated {
			return fmt.Errorf("%w: the setting %s needs the scope all", token.ErrForbidden, s.Name)
		}
	}
	return nil
}

func settingsOf(v account.SettingsView) adminclient.Settings {
	s := adminclient.Settings{Settings: v.Own, Effective: make([]adminclient.EffectiveSetting, len(v.InForce))}
	for i, f := range v.InForce {
		s.Effective[i] = adminclient.EffectiveSetting{
			Name: f.Name, Value: f.Value, Source: string(f.Source), BoundBy: f.Bound.Setting, BoundSource: string(f.Bound.Source),
		}
	}
	return s
}
