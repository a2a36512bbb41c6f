/** Workloads for the tests of metrics. */

/** Idles until /tmp/go exists, then takes what CPU it gets. Autoscaled by CPU. */
export const autoscaled = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: load}
spec:
  replicas: 1
  selector: {matchLabels: {app: load}}
  template:
    metadata: {labels: {app: load}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: localhost/steersman-busybox:1
        command: [sh, -c, "while :; do if [ -e /tmp/go ]; then i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; else sleep 0.1; fi; done"]
        resources: {requests: {cpu: 100m, memory: 10Mi}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: load}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: load}
  minReplicas: 1
  maxReplicas: 4
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
`;

/** A pod with a claim and a limit that counts, and a workload that is scaled by what it tells. */
export const exposer = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: counted}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: exposer
  labels: {app: exposer, version: v7}
  annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080", prometheus.io/path: /metrics.txt}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: localhost/steersman-busybox:1
    command:
    - sh
    - -c
    - |
      mkdir -p /tmp/www
      while :; do
        n=$((n+10))
        echo "http_requests_total{shop=\\"a\\"} $n" > /tmp/www/m
        echo 'queue_length 30' >> /tmp/www/m
        mv /tmp/www/m /tmp/www/metrics.txt
        sleep 1
      done &
      exec httpd -f -p 8080 -h /tmp/www
    resources: {limits: {cpu: 200m}}
    volumeMounts: [{name: counted, mountPath: /counted}]
  volumes: [{name: counted, persistentVolumeClaim: {claimName: counted}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: "localhost/steersman-busybox:1", command: [sleep, "3600"]}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: worker}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
  maxReplicas: 5
  metrics:
  - type: External
    external: {metric: {name: queue_length}, target: {type: AverageValue, averageValue: "10"}}
`;

/** Answers a scrape with garbage that never ends. */
export const hostile = `
apiVersion: v1
kind: Pod
metadata:
  name: hostile
  annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: localhost/steersman-busybox:1
    command: [sh, -c, "while :; do (printf 'HTTP/1.0 200 OK\\\\r\\\\n\\\\r\\\\n'; yes 'garbage{{{') | nc -l -p 8080; done"]
`;

/** A web server behind an Ingress: `shop.example`. */
export const shop = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, app.kubernetes.io/version: "1.4"}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: localhost/steersman-busybox:1
        command: [sh, -c, "mkdir -p /tmp/www; echo shop > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec:
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
`;
