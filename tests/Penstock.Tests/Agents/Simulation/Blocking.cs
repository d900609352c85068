using System.Reflection;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>A store whose calls are over when they return: what its threads do meanwhile changes the order of nothing.</summary>
public class Blocking<T> : DispatchProxy
    where T : class
{
    private T _inner = null!;

    public static T Around(T inner)
    {
        var proxy = Create<T, Blocking<T>>();
        ((Blocking<T>)(object)proxy)._inner = inner;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        // Without a place to come back to.
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var answer = targetMethod!.Invoke(_inner, BindingFlags.DoNotWrapExceptions, null, args, null);
            if (answer is Task task) ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
            return answer;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }
}
