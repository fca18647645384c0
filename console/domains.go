package console

import (
	"net/http"
	"strings"

	"popelago/adminclient"
)

// domainPage is the data of the page of a domain.
type domainPage struct {
	adminclient.Domain
	Tag      string
	Settings []settingField
	Quota    adminclient.DomainQuota
}

func (c *console) addDomains(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"domains", c.page(c.listDomains))
	mux.HandleFunc("POST "+Root+"domains", c.page(c.addDomain))
	mux.HandleFunc("GET "+Root+"domain", c.page(c.showDomain))
	mux.HandleFunc("POST "+Root+"domain/keeping", c.page(c.changeKeeping))
	mux.HandleFunc("POST "+Root+"domain/settings", c.page(c.changeDomainSettings))
	mux.HandleFunc("POST "+Root+"domain/remove", c.page(c.removeDomain))
}

func (c *console) listDomains(r *request) error {
	list, err := r.api.Partial().DomainPage(r.Context(), r.FormValue("after"), pageSize)
	if err != nil {
		return err
	}
	return c.show(r, "domains", "Domains", "domains", struct {
		adminclient.DomainList
		Paging paging
	}{list, pagingOf("domains", r.URL.Query(), list.Next)})
}

func (c *console) addDomain(r *request) error {
	d, err := r.api.AddDomain(r.Context(), trimmed(r, "name"))
	if err != nil {
		return err
	}
	return c.back(r, with("domain", "name", d.Name), "made")
}

// showDomain reads the settings first, and their tag with them: a change made meanwhile is noticed.
func (c *console) showDomain(r *request) error {
	ctx, name := r.Context(), r.FormValue("name")
	settings, err := r.api.DomainSettings(ctx, name)
	if err != nil {
		return err
	}
	page := domainPage{Tag: settings.Tag}
	if page.Domain, err = r.api.Domain(ctx, name); err != nil {
		return err
	}
	if page.Quota, err = r.api.DomainQuota(ctx, name); err != nil {
		return err
	}
	if page.Settings, err = c.settingFields(r, "domain", settings); err != nil {
		return err
	}
	return c.show(r, "domain", page.Name, "domains", page)
}

func (c *console) changeKeeping(r *request) error {
	name := r.PostForm.Get("name")
	_, err := tagged(r).ChangeDomain(r.Context(), name, adminclient.DomainSettings{
		Retention: changed(r, "retention"), Durability: changed(r, "durability"),
	})
	if err != nil {
		return err
	}
	return c.back(r, with("domain", "name", name), "changed")
}

func (c *console) changeDomainSettings(r *request) error {
	name := r.PostForm.Get("name")
	if changes := settingChanges(r); len(changes) > 0 {
		if _, err := tagged(r).SetDomainSettings(r.Context(), name, changes); err != nil {
			return err
		}
	}
	return c.back(r, with("domain", "name", name), "changed")
}

func (c *console) removeDomain(r *request) error {
	if r.PostForm.Get("sure") == "" {
		return errConfirm
	}
	if err := tagged(r).RemoveDomain(r.Context(), r.PostForm.Get("name")); err != nil {
		return err
	}
	return c.back(r, "domains", "removed")
}

// trimmed returns a field of a form without blanks around it.
func trimmed(r *request, name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }

// changed returns a field of a form that differs from the hidden field was:NAME; otherwise nothing.
func changed(r *request, name string) string {
	if now := trimmed(r, name); now != r.PostForm.Get("was:"+name) {
		return now
	}
	return ""
}

// tagged returns a client whose changes need the state that the page showed, by the tag in its form.
func tagged(r *request) *adminclient.Client { return r.api.IfMatch(r.PostForm.Get("tag")) }
