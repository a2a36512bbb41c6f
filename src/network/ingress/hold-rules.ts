import {
  heldPerPlaceMax,
  heldRequestsMax,
  holdLookMs,
  holdRetryAfterSeconds,
  holdTellMs,
  holdTimeoutMs,
} from "./limits.ts";

/** The file with what HAProxy does while a request is held. */
export const holdScriptFile = "hold.lua";
/** The ring in which HAProxy says that requests wait. */
export const holdRing = "holds";

/**
 * A held request sleeps in HAProxy until its place is no longer in holds.map: no connection, no thread and no process of ours waits
 * for it. The more are held, the less often each looks, so that all together look at most once a millisecond. A request that its
 * client gave up ends without a word; those that looked lately are the ones that are held. What HAProxy says to us is numbers only:
 * the place, how many wait there, how many ever waited, how many were turned away.
 */
export function holdScript(timeoutMs = holdTimeoutMs): string {
  return `local asleep = Map.new("holds.map", Map._str)
local places = {}
local held = 0

local function now()
  local time = core.now()
  return time.sec * 1000 + time.usec // 1000
end

local function tell(name, place, at)
  place.told = at
  core.log(core.debug, name .. " " .. place.count .. " " .. place.admitted .. " " .. place.refused)
end

local function forget(place, request)
  if place.requests[request] then
    place.requests[request] = nil
    place.count = place.count - 1
    held = held - 1
  end
end

local function sweep(at)
  for name, place in pairs(places) do
    local before = place.count
    for request, seen in pairs(place.requests) do
      if at - seen > ${holdTellMs} + 2 * held + 1000 then forget(place, request) end
    end
    if place.count == 0 and before > 0 then tell(name, place, at) end
  end
end

local swept = 0

core.register_action("hold", { "http-req" }, function(txn)
  local name = txn:get_var("txn.to")
  local place = places[name]
  if not place then
    place = { requests = {}, count = 0, admitted = 0, refused = 0, told = 0 }
    places[name] = place
  end
  local began = now()
  if began - swept > 1000 then
    swept = began
    sweep(began)
  end
  if held >= ${heldRequestsMax} or place.count >= ${heldPerPlaceMax} then
    place.refused = place.refused + 1
    if began - place.told > ${holdTellMs} then tell(name, place, began) end
    txn:set_var("txn.refused", "1")
    return
  end
  local request = {}
  place.requests[request] = began
  place.count = place.count + 1
  place.admitted = place.admitted + 1
  held = held + 1
  local late = false
  while asleep:lookup(name) do
    local at = now()
    place.requests[request] = at
    if at - began > ${timeoutMs} then
      late = true
      place.refused = place.refused + 1
      break
    end
    if at - place.told > ${holdTellMs} then
      sweep(at)
      tell(name, place, at)
    end
    core.msleep(math.max(${holdLookMs}, held))
  end
  forget(place, request)
  if place.count == 0 then tell(name, place, now()) end
  if late then txn:set_var("txn.refused", "1") end
end, 0)
`;
}

export const holdGlobalLines = [`  lua-load ${holdScriptFile}`, `  log ring@${holdRing} format raw local0`];

export const holdTables = [`ring ${holdRing}`, "  format raw", "  maxlen 200", "  size 65536"];

/** For the frontend alone: a client that went away while its request is held is let go at once. */
export const holdDefaults = ["defaults asking from usual", "  option abortonclose"];
export const holdFrontendName = "from asking";

/** A place that begins with this letter is asleep. */
const sleepingLetter = "w";

/** The place of a backend (`b0007`) whose requests are held. */
export function heldPlace(backend: string): string {
  return `${sleepingLetter}${backend.slice(1)}`;
}

const isSleeping = `{ var(txn.to) -m beg ${sleepingLetter} }`;
export const wasHeld = "{ var(txn.held) -m found }";

/** Behind the search for the route, and before a second search: where a route leads may have changed meanwhile. */
export const holdRules = [
  `  http-request set-var(txn.held) bool(true) if ${isSleeping}`,
  `  http-request lua.hold if ${wasHeld}`,
  `  http-request return status 503 hdr Retry-After ${holdRetryAfterSeconds} content-type text/plain` +
    ' string "503: the service is starting, ask again\\n" if { var(txn.refused) -m found }',
  `  http-request unset-var(txn.route) if ${wasHeld}`,
];
