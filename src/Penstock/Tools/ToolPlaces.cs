using Penstock.Kernel;

namespace Penstock.Tools;

/// <summary>
/// The places for calls in flight: of the whole server, of each tenant and of each tool. Who finds none waits, first come first served among those whose own
/// tenant and tool have room, so that a busy tool holds up no other.
/// </summary>
internal sealed class ToolPlaces(ToolSection section, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = [];
    private readonly Dictionary<string, int> _tenants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _tools = new(StringComparer.Ordinal);
    private int _taken;
    private int _impatient;

    /// <summary>Calls in flight.</summary>
    public int Taken
    {
        get
        {
            lock (_lock) return _taken;
        }
    }

    /// <summary>Calls that wait for a place.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock) return _waiting.Count;
        }
    }

    /// <summary>A place until it is disposed of. Throws 429 where too many wait already, or the wait takes too long; who is patient waits in any case.</summary>
    public async ValueTask<Place> TakeAsync(TenantId tenant, ToolSpec tool, bool patient, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var options = section.Current;
        LinkedListNode<Waiter> node;
        var place = new Place(this, tenant.Value, tool);
        lock (_lock)
        {
            Grant();
            if (TryTake(place)) return place;
            if (!patient && _impatient >= options.MaxWaiting) throw Full($"{_taken} tool calls are in flight and {_impatient} wait, which is as many as may.");
            if (!patient) _impatient++;
            node = _waiting.AddLast(new Waiter(place, patient));
        }

        return await WaitAsync(node, patient ? Timeout.InfiniteTimeSpan : options.MaxWait, ct);
    }

    private async Task<Place> WaitAsync(LinkedListNode<Waiter> node, TimeSpan most, CancellationToken ct)
    {
        var granted = node.Value.Granted.Task;
        try
        {
            await granted.WaitAsync(most, time, ct);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            lock (_lock)
            {
                // It may have been granted a moment ago: then it is given back.
                if (node.List is not null) Remove(node);
                else Return(node.Value.Place);
            }

            if (e is OperationCanceledException) throw;
            throw Full($"No place became free for tool '{node.Value.Place.Tool.Name}' within {most.TotalSeconds:0.###} s.");
        }

        return node.Value.Place;
    }

    private void Release(Place place)
    {
        lock (_lock) Return(place);
    }

    private void Return(Place place)
    {
        _taken--;
        Add(_tenants, place.Tenant, -1);
        Add(_tools, place.Tool.Name, -1);
        Grant();
    }

    private void Grant()
    {
        for (var node = _waiting.First; node is not null && _taken < section.Current.MaxInFlight;)
        {
            var next = node.Next;
            if (TryTake(node.Value.Place))
            {
                Remove(node);
                node.Value.Granted.TrySetResult();
            }

            node = next;
        }
    }

    private void Remove(LinkedListNode<Waiter> node)
    {
        _waiting.Remove(node);
        if (!node.Value.Patient) _impatient--;
    }

    private bool TryTake(Place place)
    {
        if (!Fits(place)) return false;
        _taken++;
        Add(_tenants, place.Tenant, 1);
        Add(_tools, place.Tool.Name, 1);
        return true;
    }

    private bool Fits(Place place) =>
        _taken < section.Current.MaxInFlight
        && _tenants.GetValueOrDefault(place.Tenant) < section.Current.MaxInFlightPerTenant
        && _tools.GetValueOrDefault(place.Tool.Name) < place.Tool.Concurrency;

    private static void Add(Dictionary<string, int> counts, string name, int by)
    {
        var count = counts.GetValueOrDefault(name) + by;
        if (count > 0) counts[name] = count;
        else counts.Remove(name);
    }

    private static RefusedException Full(FormattableString why) => new(new Refusal(
        RefusalKind.Limited,
        "too_many_tool_calls",
        $"{FormattableString.Invariant(why)} Try again when some have ended.") { RetryAfter = TimeSpan.FromSeconds(1) });

    private sealed record Waiter(Place Place, bool Patient)
    {
        public TaskCompletionSource Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    internal sealed class Place(ToolPlaces owner, string tenant, ToolSpec tool) : IDisposable
    {
        private bool _left;

        public string Tenant => tenant;

        public ToolSpec Tool => tool;

        public void Dispose()
        {
            if (_left) return;
            _left = true;
            owner.Release(this);
        }
    }
}
