package app

import (
	"popelago/pop3server"
	"popelago/smtpserver"
)

// RcptReply implements admin.Replies.
func (a *App) RcptReply(err error) string { return smtpserver.RcptReply(err) }

// TextReply implements admin.Replies.
func (a *App) TextReply(err error) string { return smtpserver.TextReply(err) }

// LoginReply implements admin.Replies.
func (a *App) LoginReply(err error) string { return pop3server.LoginReply(err) }

// ClearReply implements admin.Replies.
func (a *App) ClearReply() string { return pop3server.ClearReply() }

// MayLogIn implements admin.Replies.
func (a *App) MayLogIn(tls, local bool) bool { return a.pop3.MayLogIn(tls, local) }
