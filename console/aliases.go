package console

import (
	"net/http"
	"strings"

	"popelago/adminclient"
)

func (c *console) addAliases(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"aliases", c.page(c.listAliases))
	mux.HandleFunc("POST "+Root+"aliases", c.page(c.addAlias))
	mux.HandleFunc("GET "+Root+"alias", c.page(c.showAlias))
	mux.HandleFunc("POST "+Root+"alias/target", c.page(c.changeTarget))
	mux.HandleFunc("POST "+Root+"alias/remove", c.page(c.removeAlias))
	mux.HandleFunc("GET "+Root+"groups", c.page(c.listGroups))
	mux.HandleFunc("POST "+Root+"groups", c.page(c.addGroup))
	mux.HandleFunc("GET "+Root+"group", c.page(c.showGroup))
	mux.HandleFunc("POST "+Root+"group/add", c.page(c.addMember))
	mux.HandleFunc("POST "+Root+"group/drop", c.page(c.removeMember))
	mux.HandleFunc("POST "+Root+"group/remove", c.page(c.removeGroup))
}

// aliasesPage is the data of the page with the aliases of a domain.
type aliasesPage struct {
	adminclient.AliasList
	Domain string
	Paging paging
}

func (c *console) listAliases(r *request) error {
	page := aliasesPage{Domain: r.FormValue("domain")}
	var err error
	page.Aliases, page.Next, page.Unread, err = gather(c, r.FormValue("after"), pageSize, func(after string, limit int) ([]adminclient.Alias, string, []string, error) {
		list, err := r.api.Partial().Aliases(r.Context(), page.Domain, after, limit)
		return list.Aliases, list.Next, list.Unread, err
	})
	if err != nil {
		return err
	}
	page.Paging = pagingOf("aliases", r.URL.Query(), page.Next)
	return c.show(r, "aliases", "Aliases of "+page.Domain, "domains", page)
}

// addressOf returns an address of a form; without @ it is in the domain of the form.
func addressOf(r *request) string {
	address := trimmed(r, "address")
	if !strings.Contains(address, "@") {
		address += "@" + r.PostForm.Get("domain")
	}
	return address
}

func (c *console) addAlias(r *request) error {
	a, err := r.api.AddAlias(r.Context(), addressOf(r), trimmed(r, "target"))
	if err != nil {
		return err
	}
	return c.back(r, with("alias", "address", a.Address), "made")
}

// aliasPage is the data of the page of an alias.
type aliasPage struct {
	adminclient.Alias
	Domain string
}

func (c *console) showAlias(r *request) error {
	a, err := r.api.Alias(r.Context(), r.FormValue("address"))
	if err != nil {
		return err
	}
	return c.show(r, "alias", a.Address, "domains", aliasPage{a, domainOf(a.Address)})
}

func (c *console) changeTarget(r *request) error {
	a, err := tagged(r).SetAliasTarget(r.Context(), r.PostForm.Get("address"), trimmed(r, "target"))
	if err != nil {
		return err
	}
	return c.back(r, with("alias", "address", a.Address), "changed")
}

func (c *console) removeAlias(r *request) error {
	if r.PostForm.Get("sure") == "" {
		return errConfirm
	}
	address := r.PostForm.Get("address")
	if err := tagged(r).RemoveAlias(r.Context(), address); err != nil {
		return err
	}
	return c.back(r, with("aliases", "domain", domainOf(address)), "removed")
}

// groupsPage is the data of the page with the groups of a domain.
type groupsPage struct {
	adminclient.GroupList
	Domain string
	Paging paging
}

func (c *console) listGroups(r *request) error {
	page := groupsPage{Domain: r.FormValue("domain")}
	var err error
	page.Groups, page.Next, page.Unread, err = gather(c, r.FormValue("after"), pageSize, func(after string, limit int) ([]adminclient.Group, string, []string, error) {
		list, err := r.api.Partial().Groups(r.Context(), page.Domain, after, limit)
		return list.Groups, list.Next, list.Unread, err
	})
	if err != nil {
		return err
	}
	page.Paging = pagingOf("groups", r.URL.Query(), page.Next)
	return c.show(r, "groups", "Groups of "+page.Domain, "domains", page)
}

func (c *console) addGroup(r *request) error {
	g, err := r.api.AddGroup(r.Context(), addressOf(r), strings.Fields(r.PostForm.Get("members")))
	if err != nil {
		return err
	}
	return c.back(r, with("group", "address", g.Address), "made")
}

// groupPage is the data of the page of a group.
type groupPage struct {
	adminclient.GroupDetail
	Domain string
}

func (c *console) showGroup(r *request) error {
	g, err := r.api.Group(r.Context(), r.FormValue("address"))
	if err != nil {
		return err
	}
	return c.show(r, "group", g.Address, "domains", groupPage{g, domainOf(g.Address)})
}

func (c *console) addMember(r *request) error {
	g, err := tagged(r).AddMember(r.Context(), r.PostForm.Get("address"), trimmed(r, "member"))
	if err != nil {
		return err
	}
	return c.back(r, with("group", "address", g.Address), "changed")
}

func (c *console) removeMember(r *request) error {
	g, err := tagged(r).RemoveMember(r.Context(), r.PostForm.Get("address"), r.PostForm.Get("member"))
	if err != nil {
		return err
	}
	return c.back(r, with("group", "address", g.Address), "changed")
}

func (c *console) removeGroup(r *request) error {
	if r.PostForm.Get("sure") == "" {
		return errConfirm
	}
	address := r.PostForm.Get("address")
	if err := tagged(r).RemoveGroup(r.Context(), address); err != nil {
		return err
	}
	return c.back(r, with("groups", "domain", domainOf(address)), "removed")
}
