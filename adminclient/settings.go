package adminclient

import (
	"context"
	"net/http"
	"net/url"
)

// SettingInfo describes a setting of accounts or domains.
type SettingInfo struct {
	Name    string   `json:"name"`
	Form    string   `json:"form" doc:"Form of a value." example:"on or off"`
	Default string   `json:"default" doc:"The value where nobody has the setting."`
	Doc     string   `json:"doc" doc:"Help."`
	For     []string `json:"for" nullable:"false" doc:"Who may have the setting: account, domain, server."`
}

// SettingInfoList is all settings.
type SettingInfoList struct {
	Settings []SettingInfo `json:"settings" nullable:"false"`
}

// EffectiveSetting is the value of a setting in force.
type EffectiveSetting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source" enum:"account,domain,server" doc:"Where the value comes from; with boundBy, the value that the bound replaces."`
	// BoundBy and BoundSource name the setting that bounds the value; empty: the value is within its bounds.
	BoundBy     string `json:"boundBy,omitempty" doc:"The setting that replaces a retention beyond it: retention_min or retention_max. Absent: the value is within its bounds."`
	BoundSource string `json:"boundSource,omitempty" enum:"domain,server" doc:"Where that setting comes from."`
}

// Settings is the settings of an account or a domain.
type Settings struct {
	Settings  map[string]string  `json:"settings" doc:"The settings that the account or domain has itself, by name."`
	Effective []EffectiveSetting `json:"effective" nullable:"false" doc:"The values in force."`
	// Tag is the entity-tag of the account or the domain, from the header ETag, for Client.IfMatch.
	Tag string `json:"-"`
}

// SettingInfos describes all settings of accounts and domains.
func (c *Client) SettingInfos(ctx context.Context) ([]SettingInfo, error) {
	var list SettingInfoList
	err := c.call(ctx, http.MethodGet, "/v1/settings", nil, &list)
	return list.Settings, err
}

// AccountSettings returns the settings of an account. Status 404: no such account.
func (c *Client) AccountSettings(ctx context.Context, address string) (Settings, error) {
	return c.settings(ctx, http.MethodGet, accountPath(address), nil)
}

// SetAccountSettings changes settings of an account by name; an empty text removes a setting. Status 404:
// no such account; 400: an unknown name or an invalid value.
func (c *Client) SetAccountSettings(ctx context.Context, address string, changes map[string]string) (Settings, error) {
	return c.settings(ctx, http.MethodPatch, accountPath(address), changes)
}

// DomainSettings returns the settings of a domain. Status 404: no such domain.
func (c *Client) DomainSettings(ctx context.Context, name string) (Settings, error) {
	return c.settings(ctx, http.MethodGet, "/v1/domains/"+url.PathEscape(name), nil)
}

// SetDomainSettings changes settings of a domain by name; an empty text removes a setting. Status 404: no
// such domain; 400: an unknown name or an invalid value.
func (c *Client) SetDomainSettings(ctx context.Context, name string, changes map[string]string) (Settings, error) {
	return c.settings(ctx, http.MethodPatch, "/v1/domains/"+url.PathEscape(name), changes)
}

// settings reads or changes the settings of the resource at a path.
func (c *Client) settings(ctx context.Context, method, path string, in any) (s Settings, err error) {
	header, err := c.exchange(ctx, method, path+"/settings", in, &s)
	s.Tag = header.Get("ETag")
	return s, err
}
