/**
 * What people do with kubectl every day, as data: a command, what it must print, and whether it may fail. Run by
 * `kubectl.test.ts` with every kubectl version against a cluster with simulated nodes.
 */
export interface Step {
  /** Arguments as a shell would split them; `{n}` is the namespace. */
  readonly run: string;
  readonly input?: string;
  /** Must match standard output (and standard error for failures). */
  readonly prints?: RegExp;
  readonly fails?: true;
  /** Repeat until it matches, for as long as `eventually` waits. */
  readonly until?: true;
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: localhost/steersman-web:1
        ports: [{name: http, containerPort: 80}]
        resources: {requests: {cpu: 50m, memory: 16Mi}}
`;

const wrong = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: Bad_Name}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: b}}
    spec:
      containers:
      - {name: "no spaces", image: ""}
`;

export const everyday: readonly Step[] = [
  { run: "create namespace {n}", prints: /namespace\/\S+ created/ },
  { run: "get namespace {n}", prints: /Active/ },
  { run: "apply -n {n} -f -", input: deployment, prints: /deployment\.apps\/web created/ },
  { run: "apply -n {n} -f -", input: deployment, prints: /deployment\.apps\/web unchanged/ },
  { run: "rollout status -n {n} deployment/web --timeout=150s", prints: /successfully rolled out/ },
  { run: "get -n {n} deployments", prints: /NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE\nweb\s+2\/2\s+2\s+2/ },
  { run: "get -n {n} pods -l app=web", prints: /1\/1\s+Running\s+0/ },
  { run: "get -n {n} pods -o wide", prints: /NOMINATED NODE\s+READINESS GATES/ },
  {
    run: "get -n {n} pods --field-selector status.phase=Running -o name",
    prints: /^pod\/web-[a-z0-9]+-[a-z0-9]+\npod\/web/,
  },
  {
    run: "get -n {n} deploy web -o jsonpath={.spec.template.spec.containers[0].resources.requests.cpu}",
    prints: /^50m$/,
  },
  { run: "get -n {n} deploy web -o yaml", prints: /kind: Deployment/ },
  { run: "describe -n {n} deployment web", prints: /ScalingReplicaSet/, until: true },
  { run: "describe -n {n} pod -l app=web --show-events=true", prints: /Successfully assigned/, until: true },
  { run: "get -n {n} events", prints: /Scaled up replica set/, until: true },
  { run: "label -n {n} deployment web tier=front", prints: /labeled/ },
  { run: "annotate -n {n} deployment web note=hello", prints: /annotated/ },
  { run: "get -n {n} deploy -L tier", prints: /front/ },
  { run: "scale -n {n} deployment web --replicas=3", prints: /scaled/ },
  {
    run: "wait -n {n} deployment web --for=jsonpath={.status.availableReplicas}=3 --timeout=150s",
    prints: /condition met/,
  },
  { run: `patch -n {n} deployment web -p {"spec":{"replicas":2}}`, prints: /patched/ },
  {
    run: `patch -n {n} deployment web --type=json -p [{"op":"add","path":"/metadata/labels/x","value":"y"}]`,
    prints: /patched/,
  },
  { run: `patch -n {n} deployment web --type=merge -p {"metadata":{"labels":{"x":null}}}`, prints: /patched/ },
  { run: "set image -n {n} deployment/web web=localhost/steersman-web:2", prints: /image updated/ },
  { run: "rollout status -n {n} deployment/web --timeout=150s", prints: /successfully rolled out/ },
  { run: "rollout history -n {n} deployment/web", prints: /REVISION\s+CHANGE-CAUSE\n1\s/ },
  { run: "rollout undo -n {n} deployment/web", prints: /rolled back/ },
  { run: "rollout status -n {n} deployment/web --timeout=150s", prints: /successfully rolled out/ },
  { run: "get -n {n} deploy web -o jsonpath={.spec.template.spec.containers[0].image}", prints: /steersman-web:1/ },
  { run: "rollout pause -n {n} deployment/web", prints: /paused/ },
  { run: "rollout resume -n {n} deployment/web", prints: /resumed/ },
  { run: "rollout restart -n {n} deployment/web", prints: /restarted/ },
  { run: "rollout status -n {n} deployment/web --timeout=150s", prints: /successfully rolled out/ },
  { run: "expose -n {n} deployment web --port=80 --target-port=http", prints: /service\/web exposed/ },
  { run: "get -n {n} service web", prints: /ClusterIP\s+\d+\.\d+\.\d+\.\d+\s+<none>\s+80\/TCP/ },
  { run: "get -n {n} endpointslices", prints: /IPv4\s+80/, until: true },
  { run: "describe -n {n} service web", prints: /Endpoints:\s+\d+\./, until: true },
  { run: "create -n {n} configmap settings --from-literal=a=1 --from-literal=b=2", prints: /created/ },
  { run: "create -n {n} secret generic keys --from-literal=token=x", prints: /created/ },
  { run: "get -n {n} configmap settings -o jsonpath={.data.a}", prints: /^1$/ },
  { run: "describe -n {n} secret keys", prints: /token:\s+1 bytes/ },
  {
    run: "replace -n {n} -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"2"}}`,
    prints: /replaced/,
  },
  {
    run: "diff -n {n} -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"3"}}`,
    prints: /\+ {2}a: "3"/,
    fails: true,
  },
  {
    run: "apply -n {n} --server-side -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owned"},"data":{"a":"1"}}`,
    prints: /serverside-applied/,
  },
  {
    run: "apply -n {n} --server-side --field-manager=other -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owned"},"data":{"a":"2"}}`,
    prints: /Apply failed with 1 conflict/,
    fails: true,
  },
  {
    run: "create -n {n} deployment quick --image=localhost/steersman-web:1 --dry-run=server -o name",
    prints: /deployment\.apps\/quick/,
  },
  { run: "get -n {n} deployment quick", prints: /NotFound/, fails: true },
  {
    run: "run -n {n} one --image=localhost/steersman-busybox:1 --restart=Never -- sleep 3600",
    prints: /pod\/one created/,
  },
  { run: "wait -n {n} pod/one --for=condition=Ready --timeout=150s", prints: /condition met/ },
  { run: "delete -n {n} pod one --grace-period=0 --force", prints: /deleted/ },
  { run: "create -n {n} serviceaccount robot", prints: /created/ },
  { run: "create -n {n} token robot", prints: /^ey/ },
  { run: "create -n {n} role reader --verb=get,list --resource=pods", prints: /created/ },
  { run: "create -n {n} rolebinding reader --role=reader --serviceaccount={n}:robot", prints: /created/ },
  { run: "auth can-i -n {n} list pods --as=system:serviceaccount:{n}:robot", prints: /^yes/ },
  { run: "auth can-i -n {n} delete pods --as=system:serviceaccount:{n}:robot", prints: /^no/, fails: true },
  { run: "auth whoami", prints: /kubernetes-admin/ },
  { run: "create -n {n} job once --image=localhost/steersman-busybox:1 -- true", prints: /created/ },
  {
    run: "create -n {n} cronjob nightly --image=localhost/steersman-busybox:1 --schedule=0_3_*_*_* -- true",
    prints: /created/,
  },
  { run: "create -n {n} ingress web --rule=web.example/*=web:80", prints: /created/ },
  { run: "describe -n {n} ingress web", prints: /web\.example/ },
  { run: "create -n {n} quota small --hard=pods=50", prints: /created/ },
  { run: "explain deployment.spec.strategy", prints: /rollingUpdate/ },
  { run: "explain pod.spec.containers --recursive", prints: /livenessProbe/ },
  { run: "api-resources --namespaced=true", prints: /deployments\s+deploy\s+apps\/v1/ },
  { run: "api-versions", prints: /apps\/v1\n/ },
  { run: "version", prints: /Server Version: v1\.36/ },
  { run: "cluster-info", prints: /is running at/ },
  { run: "get nodes", prints: /Ready/ },
  { run: "describe node", prints: /Allocatable:/ },
  { run: "get all -n {n}", prints: /replicaset\.apps\/web/ },
  { run: "get -n {n} pods nothing", prints: /pods "nothing" not found/, fails: true },
  { run: "get nonsense", prints: /the server doesn't have a resource type "nonsense"/, fails: true },
  {
    run: "apply -n {n} -f -",
    input: wrong,
    prints: /metadata\.name: Invalid value[^]*`selector` does not match template `labels`/,
    fails: true,
  },
  {
    run: "apply -n {n} -f -",
    input: wrong,
    prints: /spec\.template\.spec\.containers\[0\]\.name: Invalid value/,
    fails: true,
  },
  {
    run: "apply -n {n} -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"datta":{}}`,
    prints: /unknown field "datta"/,
    fails: true,
  },
  {
    run: "apply -n {n} -f -",
    input: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"x"},"spec":{"ports":[{"port":"eighty"}]}}`,
    prints: /port/,
    fails: true,
  },
  {
    run: "apply -n missing -f -",
    input: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`,
    prints: /namespaces "missing" not found/,
    fails: true,
  },
  { run: "delete -n {n} deployment web --cascade=foreground", prints: /deleted/ },
  { run: "get -n {n} pods -l app=web", prints: /^$/, until: true },
  { run: "delete namespace {n} --timeout=150s", prints: /deleted/ },
  { run: "get namespace {n}", prints: /NotFound/, fails: true },
];
