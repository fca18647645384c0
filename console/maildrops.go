package console

import (
	"net/http"
	"net/url"
	"time"

	"popelago/adminclient"
)

func (c *console) addMaildrops(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"maildrop", c.page(c.showMaildrop))
	mux.HandleFunc("GET "+Root+"message", c.page(c.showMessage))
	mux.HandleFunc("GET "+Root+"removed", c.page(c.listRemoved))
	mux.HandleFunc("POST "+Root+"removed", c.page(c.restore))
}

// maildropPage is the data of the page of a maildrop.
type maildropPage struct {
	adminclient.MaildropList
	Address string
	Domain  string
	Query   adminclient.MaildropQuery
	Paging  paging
}

func (c *console) showMaildrop(r *request) error {
	form := r.URL.Query()
	page := maildropPage{Address: form.Get("address")}
	page.Domain = domainOf(page.Address)
	page.Query.OlderThan, page.Query.NewerThan, page.Query.NewestFirst = form.Get("olderThan"), form.Get("newerThan"), form.Get("newestFirst") != ""
	var err error
	page.MaildropList, err = r.api.Maildrop(r.Context(), page.Address, page.Query, form.Get("after"), pageSize)
	if err != nil {
		return err
	}
	page.Paging = pagingOf("maildrop", form, page.Next)
	return c.show(r, "maildrop", "Maildrop of "+page.Address, "domains", page)
}

// messagePage is the data of the page of a message.
type messagePage struct {
	adminclient.MessageHeader
	Address string
	Domain  string
}

func (c *console) showMessage(r *request) error {
	page := messagePage{Address: r.FormValue("address")}
	page.Domain = domainOf(page.Address)
	var err error
	if page.MessageHeader, err = r.api.MessageHeader(r.Context(), page.Address, r.FormValue("uniqueId")); err != nil {
		return err
	}
	return c.show(r, "message", "Message "+page.UniqueID, "domains", page)
}

// removedMost is the number of removed messages on a page: each can be restored by its box.
const removedMost = 200

// removedPage is the data of the page with removed messages.
type removedPage struct {
	adminclient.RemovedList
	Address  string
	Domain   string
	After    string                // the position of the page
	Restored *adminclient.Restored // the result of the form; nil: none
	Paging   paging
}

// Began returns the begin of the restore that the form goes on with, for restoreOrder; empty: it begins a restore.
func (p removedPage) Began() string {
	if p.Restored == nil || p.Restored.Began == nil {
		return ""
	}
	return p.Restored.Began.Format(time.RFC3339Nano)
}

// newRemovedPage makes the page behind after of the removed messages of an account.
func newRemovedPage(list adminclient.RemovedList, address, after string, restored *adminclient.Restored) removedPage {
	form := url.Values{"address": {address}, "after": {after}}
	return removedPage{
		RemovedList: list, Address: address, Domain: domainOf(address), After: after, Restored: restored,
		Paging: pagingOf("removed", form, list.Next),
	}
}

func (c *console) listRemoved(r *request) error { return c.showRemoved(r, nil) }

// showRemoved shows the page that the URL or the form names.
func (c *console) showRemoved(r *request, restored *adminclient.Restored) error {
	address, after := r.FormValue("address"), r.FormValue("after")
	list, err := r.api.RemovedMessages(r.Context(), address, time.Time{}, after, removedMost)
	if err != nil {
		return err
	}
	return c.show(r, "removed", "Removed messages of "+address, "domains", newRemovedPage(list, address, after, restored))
}

// restore shows the result with the page, because it has more than a sentence. Sending the form again
// restores nothing twice.
func (c *console) restore(r *request) error {
	restored, err := r.api.Restore(r.Context(), r.FormValue("address"), restoreOrder(r.PostForm))
	if err != nil {
		return err
	}
	return c.showRemoved(r, &restored)
}
