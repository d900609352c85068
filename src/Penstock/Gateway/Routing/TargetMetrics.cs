using System.Diagnostics.Metrics;

namespace Penstock.Gateway.Routing;

/// <summary>Gauges of each target that the configuration or the price table names: what only a client named makes no label.</summary>
internal sealed class TargetMetrics
{
    private readonly TargetStates _states;

    public TargetMetrics(IMeterFactory meters, TargetStates states)
    {
        _states = states;
        var meter = meters.Create(GatewayMetrics.MeterName);
        meter.CreateObservableGauge("penstock.target.state", () => Look(target => (long)target.State), description: "State of a target: 0 closed, 1 half-open, 2 open, 3 cooling.");
        meter.CreateObservableGauge("penstock.target.in_flight", () => Look(target => (long)target.InFlight), "{call}", "Calls under way at a target.");
        meter.CreateObservableGauge("penstock.target.retry_budget", () => Look(target => target.RetryBudget), "{call}", "Calls that a target may get again.");
    }

    private IEnumerable<Measurement<T>> Look<T>(Func<TargetSight, T> of)
        where T : struct => _states.All().Where(health => health.Known).Select(health => health.Look()).Select(target => new Measurement<T>(
            of(target), new KeyValuePair<string, object?>("gen_ai.provider.name", target.Name.Provider), new KeyValuePair<string, object?>("gen_ai.request.model", target.Name.Model)));
}
