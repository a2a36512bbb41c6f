import type { ApiObject } from "#api/kind.ts";
import type { TokenReview } from "#api/generated/authentication-v1.ts";
import type {
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from "#api/generated/authorization-v1.ts";
import type { Attributes } from "../authorizer.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, notAcceptable } from "../failure.ts";
import { contentTypes } from "../negotiate.ts";
import { readObject } from "../objects/read-body.ts";
import { representationFor, valueResponse } from "../objects/respond.ts";
import type { Served } from "../registry.ts";
import type { User } from "../user.ts";
import type { Verb } from "../stages/perform.ts";
import { expectedOf } from "../verbs/expected.ts";

type Review = (
  call: Call,
  body: ApiObject,
) => Promise<Record<string, unknown> | Failure> | Record<string, unknown> | Failure;

/** A question that is answered in the status of the posted object; nothing is stored. */
function review(answer: Review): Verb {
  return async (call: Call, served: Served): Promise<Outcome> => {
    const representation = representationFor(call, served);
    if (representation instanceof Failure) return representation;
    // An answer without metadata makes no row of a table.
    if (representation.as !== "object") return notAcceptable(Object.values(contentTypes));
    const body = readObject(call, expectedOf(served));
    if (body instanceof Failure) return body;
    const status = await answer(call, body);
    return status instanceof Failure ? status : valueResponse(call, served, 201, { ...body, status });
  };
}

const selfSubjectReview: Review = ({ user }) => ({ userInfo: userInfo(user) });

const tokenReview: Review = async (call, body) => {
  const { spec } = body as ApiObject & TokenReview;
  if (spec.token === undefined || spec.token === "")
    return badRequest("token is required for TokenReview in authentication");
  const result = await call.parts.authenticator.checkToken(spec.token, spec.audiences ?? []);
  if (!result.ok) return { user: {}, error: "the token is not valid" };
  return {
    authenticated: true,
    user: userInfo(result.user),
    ...(result.audiences !== undefined && { audiences: result.audiences }),
  };
};

const selfSubjectAccessReview: Review = (call, body) =>
  decide(call, call.user, (body as ApiObject & SubjectAccessReview).spec);

const subjectAccessReview: Review = (call, body) => {
  const { spec } = body as ApiObject & SubjectAccessReview;
  if ((spec.user ?? "") === "" && (spec.groups?.length ?? 0) === 0)
    return badRequest("at least one of user or group must be specified");
  return decide(
    call,
    { name: spec.user ?? "", uid: spec.uid ?? "", groups: spec.groups ?? [], extra: spec.extra ?? {} },
    spec,
  );
};

const localSubjectAccessReview: Review = (call, body) => {
  const { spec } = body as ApiObject & SubjectAccessReview;
  if (spec.nonResourceAttributes !== undefined)
    return badRequest("disallowed on this kind of request: nonResourceAttributes");
  if ((spec.resourceAttributes?.namespace ?? "") !== call.info.namespace) {
    return badRequest("spec.resourceAttributes.namespace must match metadata.namespace");
  }
  return subjectAccessReview(call, body);
};

const rulesReview: Review = (call, body) => {
  const { spec } = body as ApiObject & SelfSubjectRulesReview;
  const namespace = spec.namespace ?? "";
  if (namespace === "") return badRequest("no namespace on request");
  const { resourceRules, nonResourceRules, incomplete } = call.parts.authorizer.rulesFor(call.user, namespace);
  return { resourceRules, nonResourceRules, incomplete };
};

function userInfo({ name, uid, groups, extra }: User): Record<string, unknown> {
  return { username: name, ...(uid !== "" && { uid }), groups, ...(Object.keys(extra).length > 0 && { extra }) };
}

async function decide(
  call: Call,
  user: User,
  spec: SubjectAccessReviewSpec,
): Promise<Record<string, unknown> | Failure> {
  const { resourceAttributes: resource, nonResourceAttributes: other } = spec;
  if ((resource === undefined) === (other === undefined)) {
    return badRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  const attributes: Attributes = {
    user,
    verb: resource?.verb ?? other?.verb ?? "",
    isResource: resource !== undefined,
    group: resource?.group ?? "",
    version: resource?.version ?? "",
    resource: resource?.resource ?? "",
    subresource: resource?.subresource ?? "",
    namespace: resource?.namespace ?? "",
    name: resource?.name ?? "",
    path: other?.path ?? "",
  };
  const decision = await call.parts.authorizer.authorize(attributes);
  const reason = decision.reason === "" ? {} : { reason: decision.reason };
  return decision.allowed
    ? { allowed: true, ...reason }
    : { allowed: false, ...(decision.denied && { denied: true }), ...reason };
}

/** The kinds whose creation is a question. */
export const reviews: Readonly<Record<string, Verb>> = {
  selfsubjectreviews: review(selfSubjectReview),
  tokenreviews: review(tokenReview),
  subjectaccessreviews: review(subjectAccessReview),
  selfsubjectaccessreviews: review(selfSubjectAccessReview),
  localsubjectaccessreviews: review(localSubjectAccessReview),
  selfsubjectrulesreviews: review(rulesReview),
};
