package console

import (
	"net/http"
	"net/url"
	"strings"

	"popelago/adminclient"
)

// accountsPage is the data of the page with the accounts of a domain.
type accountsPage struct {
	adminclient.AccountList
	Domain string
	Query  adminclient.AccountQuery
	Use    bool // shows messages and octets
	Paging paging
}

// accountPage is the data of the page of an account.
type accountPage struct {
	adminclient.AccountDetail
	Domain   string
	Tag      string
	Settings []settingField
	Quota    *adminclient.Quota // nil: unknown now
}

func (c *console) addAccounts(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"find", c.page(c.find))
	mux.HandleFunc("GET "+Root+"accounts", c.page(c.listAccounts))
	mux.HandleFunc("POST "+Root+"accounts", c.page(c.addAccount))
	mux.HandleFunc("GET "+Root+"account", c.page(c.showAccount))
	mux.HandleFunc("GET "+Root+"quotas", c.page(c.listQuotas))
	for name, change := range map[string]func(*request, *adminclient.Client, string) (back string, done string, err error){
		"settings": changeAccountSettings, "retention": changeRetention, "password": changePassword, "state": changeState,
		"rename": renameAccount, "remove": removeAccount,
	} {
		mux.HandleFunc("POST "+Root+"account/"+name, c.page(func(r *request) error {
			path, done, err := change(r, tagged(r), r.PostForm.Get("address"))
			if err != nil {
				return err
			}
			return c.back(r, path, done)
		}))
	}
}

// domainOf returns the domain of an address, as text.
func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// find leads to an address, or to a domain.
func (c *console) find(r *request) error {
	text := strings.TrimSpace(r.FormValue("address"))
	if text == "" {
		return c.back(r, "domains", "")
	}
	if !strings.Contains(text, "@") {
		return c.back(r, with("domain", "name", text), "")
	}
	resolution, err := r.api.Resolve(r.Context(), text)
	if err != nil {
		return err
	}
	return c.show(r, "find", text, "domains", resolution)
}

func (c *console) listAccounts(r *request) error {
	form := r.URL.Query()
	page := accountsPage{Domain: form.Get("domain"), Use: form.Get("use") != ""}
	page.Query = adminclient.AccountQuery{
		Prefix: form.Get("prefix"), Contains: form.Get("contains"), State: form.Get("state"),
		Fields: []string{"address", "state", "created", "retention"},
	}
	if page.Use {
		page.Query.Fields = append(page.Query.Fields, "messages", "octets")
	}
	var err error
	page.Accounts, page.Next, page.Unread, err = gather(c, form.Get("after"), pageSize, func(after string, limit int) ([]adminclient.ListedAccount, string, []string, error) {
		list, err := r.api.Partial().SearchAccounts(r.Context(), page.Domain, page.Query, after, limit)
		return list.Accounts, list.Next, list.Unread, err
	})
	if err != nil {
		return err
	}
	page.Paging = pagingOf("accounts", form, page.Next)
	return c.show(r, "accounts", "Accounts of "+page.Domain, "domains", page)
}

func (c *console) addAccount(r *request) error {
	a, err := r.api.AddAccount(r.Context(), addressOf(r), r.PostForm.Get("password"))
	if err != nil {
		return err
	}
	return c.back(r, accountURL(a.Address), "made")
}

func accountURL(address string) string { return with("account", "address", address) }

// showAccount reads the settings first, as showDomain.
func (c *console) showAccount(r *request) error {
	ctx, address := r.Context(), r.FormValue("address")
	settings, err := r.api.AccountSettings(ctx, address)
	if err != nil {
		return err
	}
	page := accountPage{Tag: settings.Tag}
	if page.AccountDetail, err = r.api.Account(ctx, address); err != nil {
		return err
	}
	page.Domain = domainOf(page.Address)
	switch quota, err := r.api.AccountQuota(ctx, address); {
	case err == nil:
		page.Quota = &quota
	case statusOf(err) != http.StatusServiceUnavailable:
		return err
	}
	if page.Settings, err = c.settingFields(r, "account", settings); err != nil {
		return err
	}
	return c.show(r, "account", page.Address, "domains", page)
}

func changeAccountSettings(r *request, api *adminclient.Client, address string) (string, string, error) {
	changes := settingChanges(r)
	if len(changes) == 0 {
		return accountURL(address), "changed", nil
	}
	_, err := api.SetAccountSettings(r.Context(), address, changes)
	return accountURL(address), "changed", err
}

func changeRetention(r *request, api *adminclient.Client, address string) (string, string, error) {
	return accountURL(address), "changed", api.SetRetention(r.Context(), address, trimmed(r, "retention"))
}

func changePassword(r *request, api *adminclient.Client, address string) (string, string, error) {
	return accountURL(address), "password", api.SetPassword(r.Context(), address, r.PostForm.Get("password"))
}

func changeState(r *request, api *adminclient.Client, address string) (string, string, error) {
	return accountURL(address), "changed", api.SetState(r.Context(), address, r.PostForm.Get("state"))
}

func renameAccount(r *request, api *adminclient.Client, address string) (string, string, error) {
	a, err := api.RenameAccount(r.Context(), address, trimmed(r, "to"))
	return accountURL(a.Address), "changed", err
}

func removeAccount(r *request, api *adminclient.Client, address string) (string, string, error) {
	if r.PostForm.Get("sure") == "" {
		return "", "", errConfirm
	}
	_, err := api.RemoveAccount(r.Context(), address)
	return with("accounts", "domain", domainOf(address)), "removed", err
}

// quotasPage is the data of the page with the accounts that use much of their quota.
type quotasPage struct {
	adminclient.QuotaList
	Domain string
	Above  string
	Paging paging
}

func (c *console) listQuotas(r *request) error {
	form := r.URL.Query()
	page := quotasPage{Domain: form.Get("domain"), Above: form.Get("above")}
	above := map[string]int{"0": 0, "50": 50, "80": 80, "100": 100}
	if _, ok := above[page.Above]; !ok {
		page.Above = "80"
	}
	var err error
	page.Quotas, page.Next, page.Unread, err = gather(c, form.Get("after"), 10*pageSize, func(after string, limit int) ([]adminclient.Quota, string, []string, error) {
		list, err := r.api.Partial().Quotas(r.Context(), page.Domain, after, limit, above[page.Above])
		return list.Quotas, list.Next, list.Unread, err
	})
	if err != nil {
		return err
	}
	page.Paging = pagingOf("quotas", url.Values{"domain": {page.Domain}, "above": {page.Above}, "after": {form.Get("after")}}, page.Next)
	return c.show(r, "quotas", "Use of quotas", "domains", page)
}
