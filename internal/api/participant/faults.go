package participant

import (
	"net/http"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
)

// faultOf gives an error the name and the status that the participant service has for it.
func faultOf(err error) *rest.Fault {
	f := rest.FaultOf(err)
	if f.Status == http.StatusRequestEntityTooLarge {
		f.Status, f.Code = http.StatusBadRequest, "ValidationException"
		return f
	}
	switch errs.KindOf(err) {
	case errs.Invalid, errs.InvalidRequest:
		f.Status, f.Code = http.StatusBadRequest, "ValidationException"
	case errs.NotFound:
		f.Status, f.Code = http.StatusNotFound, "ResourceNotFoundException"
	case errs.Duplicate, errs.Conflict, errs.InUse:
		f.Status, f.Code = http.StatusConflict, "ConflictException"
	case errs.Denied, errs.Unauthenticated:
		f.Status, f.Code = http.StatusForbidden, "AccessDeniedException"
	case errs.Limit:
		f.Status, f.Code = http.StatusPaymentRequired, "ServiceQuotaExceededException"
	case errs.Throttled:
		f.Status, f.Code, f.RetryAfter = http.StatusTooManyRequests, "ThrottlingException", time.Second
	case errs.Unavailable, errs.Internal:
		if f.Code != "UnknownOperationException" {
			f.Status, f.Code = http.StatusInternalServerError, "InternalServerException"
		}
	}
	return f
}
