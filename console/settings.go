package console

import (
	"slices"
	"strings"

	"popelago/adminclient"
)

// settingField is a setting in the form of an account or a domain.
type settingField struct {
	adminclient.SettingInfo
	Own    string // the value of the account or the domain itself; empty: none
	Value  string // in force
	Source string // where Value comes from
}

// settingFields returns the settings for a kind of owners, "account" or "domain".
func (c *console) settingFields(r *request, kind string, s adminclient.Settings) ([]settingField, error) {
	infos, err := r.api.SettingInfos(r.Context())
	if err != nil {
		return nil, err
	}
	force := map[string]adminclient.EffectiveSetting{}
	for _, e := range s.Effective {
		force[e.Name] = e
	}
	var fields []settingField
	for _, info := range infos {
		if slices.Contains(info.For, kind) {
			e := force[info.Name]
			fields = append(fields, settingField{info, s.Settings[info.Name], e.Value, e.Source})
		}
	}
	return fields, nil
}

// settingChanges returns the settings that a form changes: fields set:NAME that differ from was:NAME.
func settingChanges(r *request) map[string]string {
	changes := map[string]string{}
	for field := range r.PostForm {
		name, ok := strings.CutPrefix(field, "set:")
		if value := trimmed(r, field); ok && value != r.PostForm.Get("was:"+name) {
			changes[name] = value
		}
	}
	return changes
}
