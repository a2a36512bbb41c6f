import { Environment } from "./environment.ts";
import { addressLibrary } from "./library/addresses.ts";
import { authorizerLibrary } from "./library/authorizer.ts";
import { conversionLibrary } from "./library/conversions.ts";
import { formatLibrary } from "./library/formats.ts";
import { jsonPatchLibrary } from "./library/json-patch.ts";
import { listLibrary } from "./library/lists.ts";
import { optionalLibrary } from "./library/optionals.ts";
import { quantityLibrary } from "./library/quantity.ts";
import { regexLibrary } from "./library/regex.ts";
import { semverLibrary } from "./library/semver.ts";
import { standardLibrary } from "./library/standard.ts";
import { stringLibrary } from "./library/strings.ts";
import { timeLibrary } from "./library/time.ts";
import { urlLibrary } from "./library/urls.ts";

/** What expressions anywhere in the API of Kubernetes 1.36 may use. */
const kubernetesLibraries = [
  standardLibrary,
  conversionLibrary,
  timeLibrary,
  optionalLibrary,
  stringLibrary,
  listLibrary,
  regexLibrary,
  urlLibrary,
  quantityLibrary,
  addressLibrary,
  formatLibrary,
  semverLibrary,
  authorizerLibrary,
] as const;

export const kubernetesEnvironment = new Environment(kubernetesLibraries);

/** The same with what policies that change objects need. */
export const mutationLibraries = [...kubernetesLibraries, jsonPatchLibrary] as const;
