package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"ullim/internal/errs"
	"ullim/internal/identity"
)

// code names an error for programs. Its key in a panel's texts is "agent.error." and the code.
type code string

// Codes.
const (
	codeBadFrame       code = "BAD_FRAME"
	codeUnknown        code = "UNKNOWN_COMMAND"
	codeInvalid        code = "INVALID"
	codeNotYours       code = "NOT_YOUR_CONTACT"
	codeOnDevice       code = "ANSWER_ON_DEVICE"
	codeState          code = "NOT_NOW"
	codeNotFound       code = "NOT_FOUND"
	codeDenied         code = "DENIED"
	codeConflict       code = "CONFLICT"
	codeLimit          code = "LIMIT"
	codeThrottled      code = "TOO_OFTEN"
	codeUnavailable    code = "UNAVAILABLE"
	codeTimeout        code = "TIMEOUT"
	codeInternal       code = "INTERNAL"
	codeReused         code = "ID_REUSED"
	codeOutcomeUnknown code = "OUTCOME_UNKNOWN"
	codeSignedOut      code = "SIGNED_OUT"
	codeSignIn         code = "SIGN_IN_REFUSED"
	codePassword       code = "PASSWORD_CHANGE_REQUIRED"
	codeOrigin         code = "ORIGIN_REFUSED"
)

// words are an error's sentence for people, and the status that HTTP has for it.
type words struct {
	status int
	en, ko string
}

func (c code) words() words {
	switch c {
	case codeBadFrame:
		return words{http.StatusBadRequest, "This message cannot be read.", "읽을 수 없는 메시지입니다."}
	case codeUnknown:
		return words{http.StatusBadRequest, "There is no such command.", "없는 명령입니다."}
	case codeInvalid:
		return words{http.StatusBadRequest, "Something in the command is wrong.", "명령의 값이 올바르지 않습니다."}
	case codeNotYours:
		return words{http.StatusForbidden, "This contact is not with you.", "이 상담은 본인에게 배정된 상담이 아닙니다."}
	case codeOnDevice:
		return words{http.StatusConflict, "Answer on your phone: it rings.", "전화기에서 직접 받아 주세요."}
	case codeState:
		return words{http.StatusConflict, "This cannot be done now.", "지금은 할 수 없는 작업입니다."}
	case codeNotFound:
		return words{http.StatusNotFound, "There is nothing by this name any more.", "대상을 찾을 수 없습니다."}
	case codeDenied:
		return words{http.StatusForbidden, "You do not have the permission for this.", "권한이 없습니다."}
	case codeConflict:
		return words{http.StatusConflict, "Somebody else was faster.", "다른 곳에서 먼저 변경했습니다."}
	case codeLimit:
		return words{http.StatusTooManyRequests, "A limit is reached.", "한도에 도달했습니다."}
	case codeThrottled:
		return words{http.StatusTooManyRequests, "Too often; wait a moment.", "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요."}
	case codeUnavailable:
		return words{http.StatusServiceUnavailable, "The server cannot do this at the moment; try again.", "지금은 처리할 수 없습니다. 잠시 후 다시 시도해 주세요."}
	case codeTimeout:
		return words{http.StatusGatewayTimeout, "It took too long; look at the state before you try again.", "시간이 초과되었습니다. 상태를 확인한 뒤 다시 시도해 주세요."}
	case codeReused:
		return words{http.StatusConflict, "This id was used for another command.", "다른 명령에 이미 사용한 id입니다."}
	case codeOutcomeUnknown:
		return words{
			http.StatusConflict, "The server was interrupted while it did this; look at the state before you try again.",
			"처리 중에 서버가 중단되었습니다. 상태를 확인한 뒤 새 id로 다시 시도해 주세요.",
		}
	case codeSignedOut:
		return words{http.StatusUnauthorized, "You are signed out.", "로그아웃되었습니다. 다시 로그인해 주세요."}
	case codeSignIn:
		return words{http.StatusUnauthorized, "The instance, the username or the password is wrong.", "인스턴스, 사용자 이름 또는 비밀번호가 올바르지 않습니다."}
	case codePassword:
		return words{http.StatusForbidden, "The password must be changed.", "비밀번호를 변경해야 합니다."}
	case codeOrigin:
		return words{http.StatusForbidden, "This page may not do this: it is not in agent.origins.", "허용되지 않은 페이지입니다."}
	case codeInternal:
	}
	return words{http.StatusInternalServerError, "Something went wrong in the server; its log has more.", "서버 오류가 발생했습니다."}
}

// Fault is an error as panels get it. Detail says in English what exactly is wrong; it may name a field.
type Fault struct {
	Code    code   `json:"code"`
	Key     string `json:"key"` // of the panel's own texts
	Message string `json:"message"`
	Korean  string `json:"messageKo"`
	Field   string `json:"field,omitempty"`
	Detail  string `json:"detail,omitempty"`

	err error // cause, for the log
}

// Error is the fault for logs.
func (f *Fault) Error() string {
	s := string(f.Code)
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	if f.err != nil {
		s += ": " + f.err.Error()
	}
	return s
}

// Unwrap is the cause.
func (f *Fault) Unwrap() error { return f.err }

func (f *Fault) status() int { return f.Code.words().status }

// fault makes a Fault; format is its detail.
func fault(c code, format string, args ...any) *Fault {
	w := c.words()
	return &Fault{Code: c, Key: "agent.error." + string(c), Message: w.en, Korean: w.ko, Detail: fmt.Sprintf(format, args...)}
}

// faultOf makes any error one for panels. The text of what is no *errs.Error stays inside.
func faultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	c := codeOf(err)
	f := fault(c, "")
	f.err = err
	if e, ok := errors.AsType[*errs.Error](err); ok && c != codeInternal {
		f.Field, f.Detail = e.Field, e.Message
	}
	return f
}

func codeOf(err error) code {
	switch {
	case errors.Is(err, identity.ErrPasswordChange):
		return codePassword
	case errors.Is(err, identity.ErrSignIn):
		return codeSignIn
	case errors.Is(err, context.DeadlineExceeded):
		return codeTimeout
	}
	switch errs.KindOf(err) {
	case errs.Invalid:
		return codeInvalid
	case errs.InvalidRequest, errs.InUse:
		return codeState
	case errs.NotFound:
		return codeNotFound
	case errs.Duplicate, errs.Conflict:
		return codeConflict
	case errs.Denied:
		return codeDenied
	case errs.Unauthenticated:
		return codeSignedOut
	case errs.Limit:
		return codeLimit
	case errs.Throttled:
		return codeThrottled
	case errs.Unavailable:
		return codeUnavailable
	case errs.Internal:
	}
	return codeInternal
}
